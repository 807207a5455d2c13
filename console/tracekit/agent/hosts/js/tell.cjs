'use strict';
// What every reporter of ours shares: it tells lines of JSON into one file, at once, and never raises into a test.
// Nothing but node's own modules: nothing is installed in the project whose tests run.
const fs = require('node:fs');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

const TEXT = 64 * 1024;
const FRAMES = 40;
const LINKS = 8;

function loaded() {
  const place = process.env.TRACEKIT_REPORTER;
  // What tests start, and what they read of their environment, is as it would be without us.
  delete process.env.TRACEKIT_REPORTER;
  try {
    return JSON.parse(fs.readFileSync(place, 'utf8'));
  } catch {
    return { file: '', cwd: process.cwd(), only: null, discovers: false };
  }
}

const request = loaded();
const only = request.only ? new Set(request.only) : null;
let out = -1;
try {
  if (request.file) out = fs.openSync(request.file, 'a');
} catch {
  out = -1;
}

function tell(e, fields) {
  if (out < 0) return;
  try {
    const data = Buffer.from(JSON.stringify({ e, ...fields }) + '\n');
    for (let at = 0; at < data.length; ) at += fs.writeSync(out, data, at);
  } catch {
    // A full disk costs lines, never a test.
  }
}

// How much has been printed so far, where standard output is a file: what is printed later belongs to what follows.
function printed() {
  try {
    const found = [1, 2].map((number) => fs.fstatSync(number));
    return found.every((one) => one.isFile()) ? found.map((one) => one.size) : undefined;
  } catch {
    return undefined;
  }
}

function below(file) {
  let place = String(file || '');
  try {
    if (place.startsWith('file:')) place = fileURLToPath(place);
  } catch {
    // not a file of this machine: its name is all there is
  }
  if (!path.isAbsolute(place)) return place.split(path.sep).join('/');
  for (const root of [request.cwd, real(request.cwd)]) {
    const found = path.relative(root, place);
    if (!found.startsWith('..')) return found.split(path.sep).join('/');
  }
  return path.relative(request.cwd, place).split(path.sep).join('/');
}

function real(place) {
  try {
    return fs.realpathSync(place);
  } catch {
    return place;
  }
}

const sources = new Map();
function lines(file) {
  if (!sources.has(file)) {
    let found = [];
    try {
      const place = path.resolve(request.cwd, file);
      if (fs.statSync(place).size < 4 << 20) found = fs.readFileSync(place, 'utf8').split('\n');
    } catch {
      found = [];
    }
    sources.set(file, found);
  }
  return sources.get(file);
}

function code(file, line) {
  return (lines(file)[line - 1] || '').trim().slice(0, 200);
}

// eslint-disable-next-line no-control-regex
const COLOURS = /\x1b\[[0-9;]*m/g;
function plain(text) {
  const found = String(text ?? '').replace(COLOURS, '');
  return found.length > TEXT ? `${found.slice(0, TEXT)}… (${found.length - TEXT} more characters)` : found;
}

const FRAME = /^\s*at (?:(?:async )?(.*?) \()?((?:file:\/\/|\/|[A-Za-z]:\\|\.{0,2}\/|[\w@.-]+\/).*?):(\d+)(?::\d+)?\)?\s*$/;

function frame(file, line, name) {
  const known = below(file);
  const own = !known.startsWith('..') && !known.includes('node_modules/');
  return { file: known, line, function: name || '<anonymous>', own, code: own ? code(known, line) : '' };
}

// From the outermost to where it was thrown, as everywhere else.
function frames(stack) {
  const found = [];
  for (const row of plain(stack).split('\n')) {
    const at = FRAME.exec(row);
    if (at && !at[2].startsWith('node:') && !row.includes(__dirname)) found.push(frame(at[2], Number(at[3]), at[1]));
    if (found.length >= FRAMES) break;
  }
  const own = found.findLastIndex((one) => one.own);
  return (own >= 0 ? found.slice(0, own + 1) : found).reverse();
}

function words(value) {
  if (typeof value === 'string') return plain(value);
  try {
    return plain(require('node:util').inspect(value, { depth: 12, sorted: true, compact: false, maxArrayLength: 1000 }));
  } catch {
    return '';
  }
}

function link(error, relation, rows) {
  const name = error && typeof error === 'object' ? error.name || error.constructor?.name : typeof error;
  const message = error && typeof error === 'object' && 'message' in error ? error.message : words(error);
  const stack = error && typeof error === 'object' ? error.stack : '';
  // What came from another process, or another realm, is known by the first word of its stack.
  const first = /^([A-Z]\w*)(?: \[\w+\])?:/.exec(String(stack || ''));
  return {
    type: String((name === 'Object' || !name) && first ? first[1] : name || 'Error').slice(0, 200),
    message: plain(message).slice(0, 4096),
    module: '',
    notes: [],
    relation,
    frames: rows || frames(stack || ''),
  };
}

// Exceptions from the one that was thrown to what caused it.
function chain(error, rows) {
  const found = [link(error, null, rows)];
  let cause = error && typeof error === 'object' ? error.cause : undefined;
  while (cause !== undefined && cause !== null && found.length < LINKS) {
    found.push(link(cause, 'cause'));
    cause = typeof cause === 'object' ? cause.cause : undefined;
  }
  return found;
}

function compared(error) {
  if (!error || typeof error !== 'object' || !('expected' in error) || !('actual' in error)) return null;
  // Some tools send what is not there as a word.
  if ([error.expected, error.actual].every((one) => one === undefined || one === 'undefined')) return null;
  const op = String(error.operator || error.matcherName || '==');
  return { op, expected: words(error.expected), actual: words(error.actual) };
}

function failure(names, error, cause, more) {
  try {
    const found = more?.chain || chain(error, more?.rows);
    const place = found[0].frames.at(-1);
    const operands = more?.operands === undefined ? compared(error) : more.operands;
    if (operands) {
      tell('assertion', { names, part: more?.part, ...operands, file: place?.file || '', line: place?.line || 0 });
    }
    const text = plain(more?.text ?? error?.stack ?? words(error));
    tell('failure', { names, part: more?.part, chain: found, text, cause });
  } catch {
    tell('failure', { names, part: more?.part, chain: [], text: plain(more?.text ?? String(error)), cause });
  }
}

// The same name again in one file is another test, known by its number.
const taken = new Map();
function numbered(names) {
  const key = JSON.stringify(names);
  const count = (taken.get(key) || 0) + 1;
  taken.set(key, count);
  return count === 1 ? names : [...names.slice(0, -1), `${names.at(-1)}[${count}]`];
}

// Where a tool does not say where a test stands: the first line that holds its name is as near as one can come.
function placed(file, name) {
  return lines(file).findIndex((line) => [`'${name}'`, `"${name}"`, `\`${name}\``].some((one) => line.includes(one))) + 1;
}

function wanted(names) {
  return !only || only.has(names.join('::'));
}

const timeless = (seconds) => (Number.isFinite(seconds) && seconds >= 0 ? Math.round(seconds) : undefined);
// Milliseconds, as these tools count, to nanoseconds.
const lasted = (milliseconds) => timeless(Number(milliseconds) * 1e6);

module.exports = {
  request, tell, printed, below, plain, frame, frames, link, chain, compared, failure, numbered, wanted, lasted, lines, placed, words,
};
