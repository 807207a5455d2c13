// The reporter for vitest, of any version since 1: the newer ones say when a test begins and ends, the older ones what
// has changed of their tasks. It lives in vitest's main process; tests run in others.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const { request, tell, below, plain, frame, chain, compared, failure, numbered, wanted, lasted, frames } =
  createRequire(import.meta.url)('./tell.cjs');

const VERDICTS = { passed: 'passed', failed: 'failed', skipped: 'skipped', pass: 'passed', fail: 'failed', skip: 'skipped', todo: 'skipped' };

export default class Tracekit {
  constructor() {
    this.names = new Map();
    this.begun = new Map();
    this.ended = new Set();
    this.files = new Set();
    this.newer = false;
  }

  onInit(vitest) {
    this.vitest = vitest;
    this.newer = Number(String(vitest.version || '0').split('.')[0]) >= 3;
    if (!request.discovers && request.file) this.early(vitest);
  }

  // Workers tell of several tests at once, and one that never comes to rest tells nothing more: whose loop it is, is
  // known only if each says by itself that it begins.
  early(vitest) {
    try {
      const home = path.dirname(fileURLToPath(import.meta.url));
      const index = path.join(path.dirname(fs.realpathSync(process.argv[1])), 'dist', 'index.js');
      if (!fs.existsSync(index)) return;
      const text = fs.readFileSync(path.join(home, 'vitest_began.mjs'), 'utf8');
      const given = { index: pathToFileURL(index).href, file: request.file };
      // Where the run's own files are: this one belongs to it, and not to what reads it.
      const place = path.join(path.dirname(request.file), `vitest_began_${process.pid}.mjs`);
      fs.writeFileSync(place, text.replace('__GIVEN__', () => JSON.stringify(given)));
      for (const one of vitest.projects || []) one.config.setupFiles = [...(one.config.setupFiles || []), place];
    } catch {
      // Then beginnings are known when they are told.
    }
  }

  // -- what there is: tasks of all versions look alike below their faces

  collected(file) {
    if (this.files.has(file.id)) return;
    this.files.add(file.id);
    const name = below(file.filepath || file.name);
    // One file may be run by several projects.
    const project = file.projectName || file.project?.name || '';
    const root = project && this.several() ? `${name}[${project}]` : name;
    tell('file.found', { file: root });
    const walk = (task, above) => {
      for (const one of task.tasks || []) {
        if (one.type === 'suite') {
          walk(one, [...above, one.name]);
          continue;
        }
        const names = numbered([...above, one.name]);
        this.names.set(one.id, names);
        tell('scenario.found', { names, id: one.id, file: name, line: one.location?.line || 0, tags: one.mode === 'todo' ? ['todo'] : [] });
      }
    };
    walk(file, [root]);
    if ((file.tasks || []).length) return;
    if (file.result?.errors?.length) this.broken(name, file.result.errors);
    // vitest says so at its very end, which may never come.
    else if (!request.discovers && this.vitest && !this.vitest.config?.passWithNoTests) {
      this.broken(name, [{ name: 'Error', message: 'No test suite found in file' }]);
    }
  }

  several() {
    const found = this.vitest?.projects || [];
    return found.length > 1;
  }

  broken(file, errors) {
    const error = errors[0];
    const place = this.rows(error).at(-1);
    tell('discover.failed', {
      file,
      message: plain(`${error.name ? `${error.name}: ` : ''}${error.message}`).replace(/\s*\n\s*/g, ' ').slice(0, 4096),
      detail: plain(errors.map((one) => one.stack || one.message).join('\n\n')),
      line: place?.line,
    });
  }

  rows(error) {
    const stacks = error?.stacks;
    if (Array.isArray(stacks) && stacks.length) {
      const found = stacks.map((one) => frame(one.file, one.line, one.method));
      const own = found.findLastIndex((one) => one.own);
      return (own >= 0 ? found.slice(0, own + 1) : found).reverse();
    }
    return frames(error?.stack || error?.stackStr || '');
  }

  // -- one test

  begin(id) {
    const names = this.names.get(id);
    if (!names || this.begun.has(id) || this.ended.has(id) || request.discovers || !wanted(names)) return;
    this.begun.set(id, true);
    tell('attempt.started', { names });
  }

  end(id, state, result, why) {
    const names = this.names.get(id);
    if (!names || this.ended.has(id) || request.discovers || !wanted(names)) return;
    this.begin(id);
    this.ended.add(id);
    const errors = [...(result?.errors || [])];
    const retries = Math.min(result?.retryCount || 0, 100);
    // What failed before it was tried again is an attempt of its own.
    const last = state === 'failed' ? errors.splice(Math.min(retries, errors.length - 1)) : [];
    for (let number = 0; number < retries; number += 1) {
      const error = errors[number];
      if (error) this.told(names, error);
      tell('attempt.ended', { names, ...this.word('failed', error), again: true });
      tell('attempt.started', { names });
    }
    for (const error of last) this.told(names, error);
    tell('attempt.ended', { names, d: lasted(result?.duration ?? 0), ...this.word(state, last[0]), ...(why ? { reason: why } : {}) });
    this.begun.delete(id);
  }

  word(state, error) {
    if (state === 'failed' && /^(Test|Hook) timed out in /.test(error?.message || '')) {
      return { verdict: 'timedout', cause: 'hang', reason: plain(error.message).split('\n')[0] };
    }
    return { verdict: VERDICTS[state] || 'error' };
  }

  told(names, error) {
    const rows = this.rows(error);
    const timed = /^(Test|Hook) timed out in /.test(error?.message || '');
    const cause = timed ? 'hang' : compared(error) || error.name === 'AssertionError' ? 'assertion' : 'exception';
    const text = `${error.stack || `${error.name}: ${error.message}`}${error.diff ? `\n\n${error.diff}` : ''}`;
    failure(names, error, cause, { chain: chain(error, rows), operands: compared(error), text });
  }

  output(log) {
    const names = log.taskId ? this.names.get(log.taskId) : undefined;
    // What a test prints may come before the word that it has begun.
    if (names) this.begin(log.taskId);
    tell('output', { names: names && wanted(names) ? names : undefined, stream: log.type === 'stderr' ? 'stderr' : 'stdout', text: String(log.content ?? '') });
  }

  // -- vitest 3 and later

  onTestRunStart(specifications) {
    tell('files.planned', { count: specifications?.length });
  }

  onTestModuleCollected(module) {
    this.collected(module.task || module);
  }

  onTestCaseReady(test) {
    if (this.newer) this.begin(test.id);
  }

  onTestCaseResult(test) {
    if (!this.newer) return;
    const result = test.result();
    const more = { errors: result.errors, duration: test.diagnostic()?.duration, retryCount: test.diagnostic()?.retryCount };
    if (result.state !== 'pending') this.end(test.id, result.state, more, result.note || (test.options?.mode === 'todo' ? 'todo' : ''));
  }

  onTestRunEnd(modules, errors) {
    for (const module of modules || []) this.finished(module.task || module, module.errors?.());
    this.unhandled(errors);
  }

  // -- vitest 1 and 2

  onPathsCollected(paths) {
    if (!this.newer) tell('files.planned', { count: paths?.length });
  }

  onCollected(files) {
    for (const file of files || []) this.collected(file);
  }

  onTaskUpdate(packs) {
    if (this.newer) return;
    for (const [id, result] of packs) {
      const state = result?.state;
      if (state === 'run') this.begin(id);
      else if (state && VERDICTS[state]) this.end(id, VERDICTS[state], result, '');
    }
  }

  onFinished(files, errors) {
    if (this.newer && files?.[0] && !('filepath' in files[0])) return;
    for (const file of files || []) this.finished(file);
    this.unhandled(errors);
  }

  // What nobody has told of yet: tests that were skipped, and modules that did not load.
  finished(file, errors) {
    this.collected(file);
    const walk = (task) => {
      for (const one of task.tasks || []) {
        if (one.type === 'suite') walk(one);
        else if (one.mode === 'skip' || one.mode === 'todo') this.end(one.id, 'skipped', one.result, one.mode === 'todo' ? 'todo' : one.result?.note || '');
        else if (one.result?.state && VERDICTS[one.result.state]) this.end(one.id, VERDICTS[one.result.state], one.result, '');
      }
      const found = task.result?.errors || [];
      if (found.length && task.type === 'suite' && (task.tasks || []).length) this.around(task, found, file);
    };
    walk(file);
    const found = errors?.length ? errors : file.result?.errors || [];
    if (found.length && !(file.tasks || []).length) this.broken(below(file.filepath), found);
  }

  // A hook around a suite that failed: the suite's own row says so.
  around(task, errors, file) {
    if (request.discovers || (task.result?.hooks === undefined && task.result?.state !== 'fail')) return;
    const above = [];
    for (let one = task; one && one !== file && one.type === 'suite' && one.name && one.id !== file.id; one = one.suite) above.unshift(one.name);
    const names = [below(file.filepath || file.name), ...above, '(hook)'];
    const key = names.join('::');
    if (this.ended.has(key)) return;
    this.ended.add(key);
    tell('scenario.found', { names, file: names[0], line: task.location?.line || 0, tags: ['hook'] });
    tell('attempt.started', { names });
    for (const error of errors) this.told(names, error);
    tell('attempt.ended', { names, verdict: 'error', d: 0, cause: 'setup' });
  }

  unhandled(errors) {
    if (this.told_end) return;
    this.told_end = true;
    for (const error of errors || []) {
      tell('fault', { message: plain(`${error.name || 'Error'}: ${error.message}`).slice(0, 4096), detail: plain(error.stack || '') });
    }
    tell('session.ended', {});
  }

  onUserConsoleLog(log) {
    if (!request.discovers) this.output(log);
  }
}
