'use strict';
// What an import of node:test is answered with while tests are chosen: a module that hands on our own functions.
const URL_OF = 'tracekit:node-test';
const real = require('node:test');

function source() {
  const names = Object.keys(real).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default');
  const rows = names.map((name) => `export const ${name} = test.${name};`);
  return `const test = globalThis[Symbol.for('tracekit.node:test')];\nexport default test;\n${rows.join('\n').replace('export const test = test.test;', 'export { test };')}\n`;
}

const answered = (url) => ({ url, format: 'module', shortCircuit: true });
const loaded = () => ({ format: 'module', source: source(), shortCircuit: true });

module.exports = {
  URL_OF,
  answered,
  loaded,
  synchronous: {
    resolve: (name, context, next) => (name === 'node:test' ? answered(URL_OF) : next(name, context)),
    load: (url, context, next) => (url === URL_OF ? loaded() : next(url, context)),
  },
};
