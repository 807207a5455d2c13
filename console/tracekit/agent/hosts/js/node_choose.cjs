'use strict';
// Loaded before a file of node:test when its tests are only listed, or only some of them are to run: what was not
// chosen is never handed to node. A file that runs whole runs without this.
const { AsyncLocalStorage } = require('node:async_hooks');
const Module = require('node:module');
const { pathToFileURL } = require('node:url');
const real = require('node:test');
const { request, tell, below, frames } = require('./tell.cjs');

const SHIM = Symbol.for('tracekit.node:test');
const HOOKS = new Set(['before', 'after', 'beforeEach', 'afterEach']);
const SUITES = new Set(['describe', 'suite']);
const TESTS = new Set(['test', 'it']);
const MODES = ['skip', 'todo', 'only', 'expectFailure'];
const around = new AsyncLocalStorage();
const only = request.only;
const chosen = new Set(only || []);
const taken = new Map();
// For the reporter: by what node calls them, the names that tests have among all of their file.
const labels = (globalThis[Symbol.for('tracekit.labels')] = only ? new Map() : undefined);

function called(words) {
  const fn = words.find((word) => typeof word === 'function');
  const first = words[0];
  if (typeof first === 'string' && first) return [first, fn];
  return [(fn && fn.name) || '<anonymous>', fn];
}

function numbered(above, name) {
  const key = JSON.stringify([above, null, name]);
  const count = (taken.get(key) || 0) + 1;
  taken.set(key, count);
  return [key, count === 1 ? name : `${name}[${count}]`];
}

// Where the call stands that is two below this one.
function here() {
  const found = frames(new Error('here').stack).at(-1);
  return { file: found?.file || below(process.argv[1]), line: found?.line || 0 };
}

// node would say of what it is handed that it stands here.
function keep(key, label, isSuite) {
  if (!labels.has(key)) labels.set(key, []);
  labels.get(key).push({ label, suite: isSuite, place: here() });
}

function test(run, mode) {
  return function (...words) {
    const above = around.getStore() || [below(process.argv[1])];
    const [name] = called(words);
    const [key, label] = numbered(above, name);
    const names = [...above, label];
    if (request.discovers) {
      tell('scenario.found', { names, ...here(), tags: mode === 'todo' ? ['todo'] : [] });
      return Promise.resolve();
    }
    if (!chosen.has(names.join('::'))) return Promise.resolve();
    keep(key, label, false);
    return run.apply(this, words);
  };
}

function suite(run) {
  return function (...words) {
    const above = around.getStore() || [below(process.argv[1])];
    const [name, body] = called(words);
    const [key, label] = numbered(above, name);
    const names = [...above, label];
    if (request.discovers) return body ? around.run(names, () => entered(body, name)) : undefined;
    const start = `${names.join('::')}::`;
    if (!only.some((one) => one.startsWith(start))) return Promise.resolve();
    keep(key, label, true);
    return run.apply(this, words.map((word) => (word === body && body ? (...more) => around.run(names, () => body(...more)) : word)));
  };
}

// A body that fails keeps nothing behind it from being found: node says of it that it failed, and goes on.
function entered(body, name) {
  try {
    return Promise.resolve(body({ name, signal: new AbortController().signal })).catch(() => undefined);
  } catch {
    return Promise.resolve();
  }
}

function wrapped(found, make) {
  const made = make(found, '');
  for (const mode of MODES) if (typeof found[mode] === 'function') made[mode] = make(found[mode], mode);
  return made;
}

const made = wrapped(real, test);
for (const name of Object.keys(real)) {
  if (MODES.includes(name)) continue;
  if (name === 'test') made.test = made;
  else if (SUITES.has(name)) made[name] = wrapped(real[name], suite);
  else if (TESTS.has(name)) made[name] = wrapped(real[name], test);
  else if (HOOKS.has(name) && request.discovers) made[name] = () => undefined;
  else Object.defineProperty(made, name, Object.getOwnPropertyDescriptor(real, name));
}
globalThis[SHIM] = made;

const hooks = require('./node_hooks.cjs');
if (typeof Module.registerHooks === 'function') Module.registerHooks(hooks.synchronous);
else {
  const load = Module._load;
  Module._load = function (name, ...more) {
    return name === 'node:test' ? made : load.call(this, name, ...more);
  };
  Module.register(pathToFileURL(require.resolve('./node_hooks.mjs')));
}
