// Perfetto's trace processor as its own pages load it, under node: reads framed requests, writes framed replies.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const [folder, requests, replies] = process.argv.slice(2);
const bytes = (url) => fs.readFileSync(path.join(folder, path.basename(String(url))));
const told = [];
const port = { onmessage: null, postMessage: (data) => told.push(Buffer.from(data)) };

class Request {
  open(_method, url) {
    this.url = url;
  }

  send() {
    const found = bytes(this.url);
    this.response = found.buffer.slice(found.byteOffset, found.byteOffset + found.length);
    this.status = 200;
  }
}

const where = { href: 'http://localhost/engine_bundle.js', origin: 'http://localhost', pathname: '/engine_bundle.js' };
const fetched = async (url) => new Response(bytes(url), { headers: { 'content-type': 'application/wasm' } });
const face = { location: where, XMLHttpRequest: Request, fetch: fetched, postMessage() {}, addEventListener() {}, importScripts() {} };
for (const name of ['console', 'performance', 'TextDecoder', 'TextEncoder', 'WebAssembly', 'setTimeout', 'clearTimeout', 'queueMicrotask', 'URL', 'Uint8Array', 'crypto', 'Response']) face[name] = globalThis[name];

const names = ['self', 'WorkerGlobalScope', 'XMLHttpRequest', 'process', 'importScripts', 'location', 'fetch'];
const bundle = new Function(...names, bytes('engine_bundle.js').toString('utf8'));
bundle(face, function scope() {}, Request, undefined, () => {}, where, fetched);
face.onmessage({ data: port });

const all = fs.readFileSync(requests);
const parts = [];
for (let at = 0; at < all.length; ) {
  const length = all.readUInt32LE(at);
  parts.push(new Uint8Array(all.subarray(at + 4, at + 4 + length)));
  at += 4 + length;
}

// Once nothing is left to wait for, its module has been compiled: before that it takes nothing.
process.once('beforeExit', () => {
  for (const data of parts) port.onmessage({ data });
  const framed = told.flatMap((one) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(one.length);
    return [head, one];
  });
  fs.writeFileSync(replies, Buffer.concat(framed));
  process.exit(0);
});
