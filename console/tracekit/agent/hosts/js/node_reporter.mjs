// The reporter for node:test. It hears the events in the process of the tests at the moment they happen, so that what
// is printed between two of them is known to be one test's. A describe() is a name; a test within a test is a part of it.
import { Transform } from 'node:stream';
import { createRequire } from 'node:module';

const { tell, printed, below, failure, lasted, lines } = createRequire(import.meta.url)('./tell.cjs');
const MARK = ' ▸ ';

const stack = [];
const taken = new Map();
const open = new Map();
const lined = new Map();
const byId = new Map();
// How often a place was lined up and has ended: what waits for ever node ends twice.
const due = new Map();
const over = new Map();
const known = globalThis[Symbol.for('tracekit.labels')];

const placed = (data) => `${data.nesting}|${data.file}|${data.line}|${data.column}|${data.name}`;

function isSuite(data) {
  if (data.kind) return data.kind === 'suite';
  // What waited is begun by the name of what it waited for: its own is what it was lined up by.
  const type = lined.get(placed(data));
  if (type) return type === 'suite';
  if (data.details?.type) return data.details.type === 'suite';
  // Before node 22 nothing says so at its beginning: the source does.
  const text = lines(below(data.file))[data.line - 1] || '';
  const at = Math.max(data.column - 1, 0);
  const called = /[\w$.\s]*$/.exec(text.slice(0, at) + text.slice(at).split('(')[0])[0];
  const groups = groupsOf(below(data.file));
  return called.trim().split(/\s+/).pop().split('.').some((word) => groups.has(word));
}

// What a file calls its groups by: node's own names, and others that it gives them.
const groupsIn = new Map();
function groupsOf(file) {
  if (groupsIn.has(file)) return groupsIn.get(file);
  const text = lines(file).join('\n');
  const found = new Set(['describe', 'suite']);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    const one = `(?:${[...found].map((name) => name.replaceAll('$', '\\$')).join('|')})`;
    const named = `(?<![\\w$.])${one}\\s+as\\s+([\\w$]+)|(?<![\\w$.])${one}\\s*:\\s*([\\w$]+)|([\\w$]+)\\s*=\\s*(?:[\\w$]+\\([^()]*\\)\\.)?(?:[\\w$]+\\.)*${one}(?:\\.(?:skip|only|todo))?\\s*(?:[;,)]|\\n|$)`;
    for (const [, imported, taken, given] of text.matchAll(new RegExp(named, 'g'))) found.add(imported ?? taken ?? given);
  }
  groupsIn.set(file, found);
  return found;
}

function begin(heard) {
  let data = heard;
  stack.length = Math.min(stack.length, data.nesting);
  // Newer ones say whose part it is, which counts where several run at once.
  const above = data.parentId ? (byId.get(data.parentId) ?? stack[data.nesting - 1]) : stack[data.nesting - 1];
  let names = above ? above.names : [below(process.argv[1])];
  let part = above?.part ?? null;
  let label = data.name;
  const key = JSON.stringify([names, part, label]);
  const count = (taken.get(key) || 0) + 1;
  taken.set(key, count);
  if (count > 1) label = `${label}[${count}]`;
  // Where only some were chosen, the number of one is what it has among all.
  const chosen = part === null ? known?.get(key)?.shift() : undefined;
  if (chosen) {
    label = chosen.label;
    data = { ...data, ...chosen.place, kind: chosen.suite ? 'suite' : 'test' };
  }
  const suite = isSuite(data);
  const file = below(data.file || process.argv[1]);
  if (above && !above.suite) part = part === null ? label : `${part}/${label}`;
  else names = [...names, label];
  const one = { names, part, suite, data };
  stack[data.nesting] = one;
  if (data.testId !== undefined) byId.set(data.testId, one);
  const place = placed(heard);
  const waiting = open.get(place) || [];
  waiting.push(one);
  open.set(place, waiting);
  if (suite) return;
  if (part === null) tell('scenario.found', { names, file, line: data.line || 0 });
  tell('attempt.started', { names, part: part ?? undefined, at: printed() });
}

function end(data, passed) {
  const place = placed(data);
  let one = open.get(place)?.shift();
  const ends = (over.get(place) || 0) + 1;
  over.set(place, ends);
  if (!one && due.has(place) && ends > due.get(place)) return;
  if (!one) {
    if (data.details?.type === 'suite' || data.name === below(process.argv[1]) || data.file === undefined) return orphan(data, passed);
    begin(data);
    one = open.get(place)?.shift();
  }
  if (one.suite) {
    // Its body never ran, so nobody here knows what it holds.
    if (isSkipped(data)) tell('left.out', { names: one.names, reason: typeof data.skip === 'string' ? data.skip : '' });
    else if (!passed && data.details?.error?.failureType !== 'subtestsFailed') suite(one, data);
    return;
  }
  const error = data.details?.error;
  const kind = error?.failureType;
  const head = { names: one.names, part: one.part ?? undefined };
  const why = typeof data.skip === 'string' ? data.skip : typeof data.todo === 'string' ? data.todo : data.todo ? 'todo' : '';
  let verdict = passed ? 'passed' : 'failed';
  let more = why ? { reason: why } : {};
  if (isSkipped(data)) verdict = 'skipped';
  else if (data.todo !== undefined && data.todo !== false) verdict = passed ? 'skipped' : 'xfailed';
  else if (!passed && kind === 'testTimeoutFailure') more = { verdict: 'timedout', cause: 'hang', reason: String(error.message || error.cause || '') };
  else if (!passed && kind === 'cancelledByParent') more = { verdict: 'failed', reason: String(error.message || '') };
  if (!passed && verdict !== 'skipped' && kind !== 'subtestsFailed') told(head, error, kind, more.cause);
  else if (!passed && kind === 'subtestsFailed') more.reason = 'a sub-test failed';
  tell('attempt.ended', { ...head, verdict, d: lasted(data.details?.duration_ms ?? 0), ...more, at: printed() });
}

function isSkipped(data) {
  return data.skip !== undefined && data.skip !== false;
}

function told(head, error, kind, cause) {
  const thrown = error?.cause ?? error;
  const asserts = thrown?.code === 'ERR_ASSERTION' || thrown?.name === 'AssertionError';
  const found = cause || (kind === 'hookFailed' ? 'setup' : asserts ? 'assertion' : 'exception');
  const named = thrown && typeof thrown === 'object' ? thrown : { name: 'Error', message: String(thrown), stack: '' };
  failure(head.names, named, found, { part: head.part, text: thrown?.stack || String(thrown) });
}

// A suite whose own body or hook failed has a row, since no test of it says so.
function suite(one, data) {
  const names = [...one.names, '(hook)'];
  // node would say of a group that was chosen that it stands in our own file: `one` knows better.
  tell('scenario.found', { names, file: below(one.data.file), line: one.data.line || 0, tags: ['hook'] });
  tell('attempt.started', { names, at: printed() });
  told({ names }, data.details?.error, 'hookFailed');
  tell('attempt.ended', { names, verdict: 'error', cause: 'setup', d: 0, at: printed() });
}

function orphan(data, passed) {
  if (!passed) tell('fault', { message: String(data.details?.error?.cause?.message || data.details?.error?.message || data.name), detail: String(data.details?.error?.cause?.stack || '') });
}

const reporter = new Transform({ writableObjectMode: true, transform: (_event, _encoding, done) => done() });
reporter.on('pipe', (source) => {
  let completes = false;
  source.on('test:enqueue', (data) => {
    const place = placed(data);
    due.set(place, (due.get(place) || 0) + 1);
    if (data.type) lined.set(place, data.type);
  });
  source.on('test:dequeue', begin);
  source.on('test:complete', (data) => {
    completes = true;
    end(data, data.details?.passed ?? !data.details?.error);
  });
  // Before node 20.13 an end is told in order only.
  source.on('test:pass', (data) => completes || end(data, true));
  source.on('test:fail', (data) => completes || end(data, false));
});
process.once('exit', () => tell('session.ended', { at: printed() }));
export default reporter;
