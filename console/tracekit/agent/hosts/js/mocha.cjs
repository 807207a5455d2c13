'use strict';
// The reporter for mocha. It lives in the process of the tests, so that what is printed between two of its lines is
// known to be one test's; what was not chosen is taken out of the tree before anything runs.
const { request, tell, printed, below, failure, numbered, wanted, lasted, placed, frames } = require('./tell.cjs');

const NAMES = Symbol('tracekit');

function title(one) {
  return String(one.title ?? '');
}

function named(test) {
  if (test[NAMES]) return test[NAMES];
  const names = [title(test)];
  let suite = test.parent;
  for (; suite && !suite.root && (suite.title || suite.parent); suite = suite.parent) names.unshift(title(suite));
  return [below(test.file || ''), ...names];
}

function walk(suite, told) {
  for (const test of suite.tests || []) told(test);
  for (const other of suite.suites || []) walk(other, told);
}

// A hook has a row when it failed; to run it again is to run what it stands around.
const HOOK = /^(.*)::"(?:before|after) (?:all|each)" hook.*$/s;
const around = (request.only || []).map((one) => HOOK.exec(one)?.[1]).filter((one) => one !== undefined);

function chosen(test) {
  const name = test[NAMES].join('::');
  return wanted(test[NAMES]) || around.some((one) => name.startsWith(`${one}::`));
}

function prune(suite) {
  suite.tests = suite.tests.filter(chosen);
  // Mocha keeps what is marked `.only` apart, and would put it back.
  if (suite._onlyTests) suite._onlyTests = suite._onlyTests.filter(chosen);
  for (const other of suite.suites) prune(other);
  if (suite._onlySuites) suite._onlySuites = suite._onlySuites.filter((other) => other.total());
}

module.exports = class Tracekit {
  constructor(runner) {
    const parallel = Boolean(runner.isParallelMode && runner.isParallelMode());
    const at = () => (parallel ? undefined : printed());
    const begun = new Set();
    if (!parallel) {
      walk(runner.suite, (test) => {
        test[NAMES] = numbered(named(test));
      });
      if (request.only) {
        prune(runner.suite);
        runner.total = runner.suite.total();
      }
      tell('collected', {});
    }
    const found = (test) => {
      const names = test[NAMES] || (test[NAMES] = named(test));
      tell('scenario.found', { names, file: names[0], line: placed(names[0], names.at(-1)) });
    };
    const begin = (test) => {
      const names = named(test);
      if (begun.has(names.join('::'))) return names;
      begun.add(names.join('::'));
      if (parallel) found(test);
      tell('attempt.started', { names, at: at() });
      return names;
    };
    const end = (test, verdict, more) => {
      const names = begin(test);
      begun.delete(names.join('::'));
      over.add(names.join('::'));
      tell('attempt.ended', { names, verdict, d: lasted(test.duration ?? 0), at: at(), ...more });
    };
    const failed = (names, error) => {
      const timed = error?.code === 'ERR_MOCHA_TIMEOUT';
      failure(names, error, timed ? 'hang' : error?.actual !== undefined || error?.code === 'ERR_ASSERTION' || error?.name === 'AssertionError' ? 'assertion' : 'exception');
      return timed ? { verdict: 'timedout', reason: error.message, cause: 'hang' } : { verdict: 'failed' };
    };
    if (!parallel) walk(runner.suite, found);
    if (request.discovers) {
      runner.suite.tests = [];
      runner.suite.suites = [];
      runner.total = 0;
      runner.on('end', () => tell('session.ended', {}));
      return;
    }
    const marked = Boolean(!parallel && runner.suite.hasOnly && runner.suite.hasOnly());
    const every = [];
    const hooks = [];
    const over = new Set();
    if (!parallel) walk(runner.suite, (test) => every.push(test));
    runner.on('start', () => {
      // By now mocha has taken out what is not marked, and tells nothing of it.
      const left = new Set();
      if (marked) walk(runner.suite, (test) => left.add(test));
      for (const test of every) if (marked && !left.has(test)) end(test, 'skipped', { reason: 'others are marked .only' });
    });
    runner.on('test', begin);
    runner.on('pass', (test) => end(test, 'passed'));
    runner.on('pending', (test) => end(test, 'skipped', { reason: test.fn || test.body ? '' : 'pending: it has no body' }));
    runner.on('retry', (test, error) => {
      const names = begin(test);
      const { verdict, ...more } = failed(names, error);
      end(test, verdict, { ...more, again: true });
      begin(test);
    });
    runner.on('fail', (test, error) => {
      if (test.type === 'hook') {
        broke(test, error);
        return;
      }
      const names = begin(test);
      const { verdict, ...more } = failed(names, error);
      end(test, verdict, more);
    });
    // A hook that fails before a test is that test's error; any other has a row of its own.
    const broke = (broken, error) => {
      hooks.push(broken);
      const test = broken.ctx?.currentTest;
      if (test && (test[NAMES] || parallel) && broken.title.startsWith('"before each"')) {
        const names = begin(test);
        failure(names, error, 'setup');
        end(test, 'error', { cause: 'setup', reason: broken.title });
        return;
      }
      // Behind a test that has ended already, mocha counts it apart; so do we.
      const names = [below(broken.file || broken.parent?.file || ''), ...suites(broken.parent), broken.title];
      const place = frames(error?.stack || '').at(-1);
      tell('scenario.found', { names, file: place?.file || names[0], line: place?.line || 0, tags: ['hook'] });
      tell('attempt.started', { names, at: at() });
      failure(names, error, 'setup');
      tell('attempt.ended', { names, verdict: 'error', d: lasted(broken.duration ?? 0), cause: 'setup', at: at() });
    };
    runner.on('end', () => {
      // Behind a hook that failed mocha says nothing of what it stands around.
      for (const test of every) {
        const names = named(test);
        if (over.has(names.join('::')) || begun.has(names.join('::'))) continue;
        const hook = hooks.find((one) => stands(one.parent, test));
        tell('not.run', { names, reason: hook ? `${hook.title} failed` : 'mocha stopped before it' });
      }
      tell('session.ended', { at: at() });
    });
  }
};

function stands(above, test) {
  for (let suite = test.parent; suite; suite = suite.parent) if (suite === above) return true;
  return false;
}

function suites(suite) {
  const names = [];
  for (; suite && !suite.root; suite = suite.parent) names.unshift(title(suite));
  return names;
}
