'use strict';
// The reporter for jest. It lives in jest's main process; what tests printed comes when their file has ended, and
// whose it was is inferred from where it was printed.
const { request, tell, below, plain, chain, failure, numbered, wanted, lasted, placed, frames, words } = require('./tell.cjs');

const TIMED = /Exceeded timeout of|timed out/;
const VERDICTS = { passed: 'passed', failed: 'failed', pending: 'skipped', skipped: 'skipped', disabled: 'skipped', todo: 'skipped', focused: 'passed' };

module.exports = class Tracekit {
  constructor() {
    // Of each file that runs: the tests that began and did not end, by what jest calls them.
    this.running = new Map();
  }

  base(test, found) {
    return [below(test.path), ...(found.ancestorTitles || []), found.title ?? ''];
  }

  open(test) {
    if (!this.running.has(test.path)) this.running.set(test.path, { begun: new Map(), ended: new Map(), told: [], again: false });
    return this.running.get(test.path);
  }

  onTestFileStart(test) {
    this.open(test);
  }

  onTestCaseStart(test, found) {
    if (request.discovers || found.mode === 'skip' || found.mode === 'todo') return;
    const file = this.open(test);
    const base = this.base(test, found);
    const key = JSON.stringify(base);
    if (file.begun.has(key)) return;
    const before = file.ended.get(key) || [];
    if (before.length && file.begun.size) {
      // jest hands a file whose process died to another one, from its beginning.
      file.again = true;
      this.died(file, 'its process ended during it');
    }
    // The same name again is another test, or one that failed and is tried again: its end says which.
    if (file.again ? before.length : before.at(-1)?.failed) return;
    const names = numbered(base);
    file.begun.set(key, names);
    if (!wanted(names)) return;
    tell('scenario.found', { names, file: names[0], line: placed(names[0], names.at(-1)) });
    tell('attempt.started', { names });
  }

  died(file, reason) {
    for (const [key, names] of file.begun) {
      file.ended.set(key, [...(file.ended.get(key) || []), { names, failed: false }]);
      if (wanted(names)) tell('attempt.ended', { names, verdict: 'crashed', cause: 'crash', reason });
    }
    file.begun.clear();
  }

  onTestCaseResult(test, found) {
    if (!request.discovers) this.one(test, found);
  }

  one(test, found) {
    const file = this.open(test);
    const base = this.base(test, found);
    const key = JSON.stringify(base);
    const before = file.ended.get(key) || [];
    if (file.again && before.length && !file.begun.has(key)) return before[0].names;
    const tried = found.invocations > 1 && before.at(-1)?.failed && !file.begun.has(key);
    const names = tried ? before.at(-1).names : file.begun.get(key) || numbered(base);
    file.begun.delete(key);
    const failed = found.status === 'failed';
    if (tried) before.at(-1).failed = failed;
    else file.ended.set(key, [...before, { names, failed }]);
    if (!wanted(names)) return names;
    tell('scenario.found', { names, file: names[0], line: found.location?.line || placed(names[0], names.at(-1)), tags: found.status === 'todo' ? ['todo'] : [] });
    if (request.discovers) return names;
    tell('attempt.started', { names });
    let timed = false;
    (found.failureMessages || []).forEach((message, number) => {
      timed = timed || TIMED.test(message.split('\n')[0]);
      this.told(names, (found.failureDetails || [])[number], message);
    });
    const verdict = VERDICTS[found.status] || 'error';
    const more = failed && timed ? { verdict: 'timedout', cause: 'hang', reason: plain(found.failureMessages[0]).split('\n')[0] } : { verdict };
    tell('attempt.ended', { names, ...more, d: lasted(found.duration ?? 0), ...(found.status === 'todo' ? { reason: 'todo' } : {}) });
    return names;
  }

  told(names, detail, text) {
    const said = plain(text);
    const at = said.search(/\n\s+at /);
    const message = (at >= 0 ? said.slice(0, at) : said).trim();
    const first = /^(?:([A-Z]\w*(?:Error|Exception)?)(?: \[\w+\])?: )?([\s\S]*)$/.exec(message);
    const error = detail?.error && typeof detail.error === 'object' ? detail.error : detail;
    const matched = detail?.matcherResult || error?.matcherResult;
    const rows = frames(said);
    const links = chain(error && typeof error === 'object' && error.cause ? error : { name: first[1] || 'Error', message: first[2] }, rows);
    links[0].type = first[1] || 'Error';
    links[0].message = first[2].slice(0, 4096);
    let operands = null;
    if (matched && 'expected' in matched && 'actual' in matched) operands = { op: matched.name || '==', expected: words(matched.expected), actual: words(matched.actual) };
    else if (error && typeof error === 'object' && 'expected' in error && 'actual' in error) operands = { op: String(error.operator || '=='), expected: words(error.expected), actual: words(error.actual) };
    // jest writes node's own assertions anew: what was compared stands in its words alone.
    const asserted = /^assert(?:\.\w+)?\(received(?:, expected)?\)/.test(first[2]);
    if (asserted && !first[1]) links[0].type = 'AssertionError';
    const values = asserted && !operands && /\n(?:Expected[^\n]*):\n {2}([\s\S]*?)\nReceived:\n {2}([\s\S]*?)(?:\n\n|$)/.exec(first[2]);
    if (values) operands = { op: /\.(\w+)/.exec(first[2])?.[1] || '==', expected: values[1], actual: values[2] };
    const timed = TIMED.test(message.split('\n')[0]);
    failure(names, error, timed ? 'hang' : operands || matched || asserted ? 'assertion' : 'exception', { chain: links, operands, text: said });
  }

  onTestResult(test, result) {
    const file = this.open(test);
    const places = [];
    const seen = new Map();
    for (const found of result.testResults || []) {
      const key = JSON.stringify(this.base(test, found));
      const count = seen.get(key) || 0;
      seen.set(key, count + 1);
      // What was skipped is only told with its whole file, and by an older jest everything is.
      const names = file.ended.get(key)?.[count]?.names || this.one(test, found);
      if (!found.location) continue;
      places.push([found.location.line, names]);
      if (wanted(names)) tell('scenario.found', { names, file: names[0], line: found.location.line, tags: found.status === 'todo' ? ['todo'] : [] });
    }
    if (result.testExecError || (result.failureMessage && !(result.testResults || []).length)) {
      const error = result.testExecError || {};
      const text = plain(result.failureMessage || error.stack || error.message || '');
      if (file.begun.size || file.again) {
        this.died(file, plain(error.message || first(text)));
        tell('file.died', { file: below(test.path) });
      } else if ((result.testResults || []).length) this.around(test, error);
      else tell('discover.failed', { file: below(test.path), message: plain(error.message || first(text)).replace(/\s*\n\s*/g, ' ').slice(0, 4096), detail: text });
    }
    this.output(test, result, places);
    tell('file.ended', { file: below(test.path) });
    this.running.delete(test.path);
  }

  // A hook behind the last test of its group, or a promise that nobody waits for: what failed is none of the tests.
  around(test, error) {
    const names = [below(test.path), '(hook)'];
    if (request.discovers || !wantedBelow(names[0])) return;
    const text = plain(error.stack || error.message || '').trim();
    const message = plain(error.message || first(text)).replace(/^Error: /, '');
    const rows = frames(text);
    tell('scenario.found', { names, file: rows.at(-1)?.file || names[0], line: rows.at(-1)?.line || 0, tags: ['hook'] });
    tell('attempt.started', { names });
    failure(names, { name: 'Error', message, stack: text }, 'teardown', { chain: [{ ...chain({ name: 'Error', message }, rows)[0], message }], text });
    tell('attempt.ended', { names, verdict: 'error', d: 0, cause: 'teardown', reason: 'a hook around its tests failed' });
  }

  output(test, result, places) {
    if (request.discovers) return;
    places.sort((one, other) => one[0] - other[0]);
    const mine = below(test.path);
    for (const entry of result.console || []) {
      const text = `${plain(entry.message)}\n`;
      const at = frames(entry.origin || '').filter((one) => one.file === mine).map((one) => one.line);
      const found = at.map((line) => places.filter(([start]) => start <= line).at(-1)).find(Boolean);
      const stream = entry.type === 'error' || entry.type === 'warn' ? 'stderr' : 'stdout';
      tell('output', { names: found && wanted(found[1]) ? found[1] : undefined, stream, text, attribution: 'inferred' });
    }
  }

  onRunComplete(_, results) {
    if (results?.runExecError) tell('fault', { message: plain(results.runExecError.message), detail: plain(results.runExecError.stack) });
    tell('session.ended', { interrupted: Boolean(results?.wasInterrupted) });
  }

  getLastError() {}
};

function wantedBelow(file) {
  return !request.only || request.only.some((one) => one.startsWith(`${file}::`));
}

function first(text) {
  return text.split('\n').map((line) => line.trim()).find((line) => line && !line.startsWith('●')) || 'it could not be run';
}
