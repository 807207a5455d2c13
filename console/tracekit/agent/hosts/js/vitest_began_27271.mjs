// Runs in vitest's workers in front of each test file: every test says that it begins before anything of it runs.
import fs from 'node:fs';
import { threadId } from 'node:worker_threads';

const given = {"index":"file:///root/.cache/tracekit-tests/node-ccd0c786f165ba34/node_modules/vitest/dist/index.js","file":"/tmp/n6/rep.out"};
try {
  const { beforeEach } = await import(/* @vite-ignore */ given.index);
  const out = fs.openSync(given.file, 'a');
  const worker = `${process.pid}/${threadId}`;
  beforeEach(({ task }) => {
    try {
      fs.writeSync(out, `${JSON.stringify({ e: 'began', id: task.id, worker })}\n`);
    } catch {
      // A full disk costs lines, never a test.
    }
  });
} catch {
  // A vitest that is laid out in another way: its tests run as they always do.
}
