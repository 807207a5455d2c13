// The same for a node whose hooks live in a thread of their own.
import { createRequire } from 'node:module';

const { URL_OF, answered, loaded } = createRequire(import.meta.url)('./node_hooks.cjs');

export async function resolve(name, context, next) {
  return name === 'node:test' ? answered(URL_OF) : next(name, context);
}

export async function load(url, context, next) {
  return url === URL_OF ? loaded() : next(url, context);
}
