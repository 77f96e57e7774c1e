// How much a trace asks of a GPU: kernels dispatched, submits, uploads and read-backs, counted in the worker.

import assert from 'node:assert/strict';
import { launch } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { DAVIS } from './lib/lab.mjs';
import { engine } from './lib/worker.mjs';

const COUNTING = `
  const counts = { dispatches: 0, submits: 0, uploads: 0, reads: 0 };
  const count = (owner, name, what) => {
    const { [name]: own } = owner.prototype;
    owner.prototype[name] = function (...wanted) {
      counts[what] += 1;
      return own.apply(this, wanted);
    };
  };
  count(GPUComputePassEncoder, 'dispatchWorkgroups', 'dispatches');
  count(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', 'dispatches');
  count(GPUQueue, 'submit', 'submits');
  count(GPUQueue, 'writeBuffer', 'uploads');
  count(GPUBuffer, 'mapAsync', 'reads');
  new BroadcastChannel('counts').onmessage = ({ data, target }) => data === 'ask' && target.postMessage({ ...counts });`;

/** What was counted so far. */
function counted(lab) {
  return lab.page.evaluate(() => new Promise(done => {
    const channel = new BroadcastChannel('counts');
    channel.onmessage = ({ data }) => {
      channel.close();
      done(data);
    };
    channel.postMessage('ask');
  }));
}

test('a trace dispatches few kernels', 180, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch({ webgpu: true }));
  const lab = await engine(browser, site, { before: COUNTING });
  await lab.start('gpu');
  await lab.load({ from: 'bundled', name: 'engram-relay' });
  const question = { ...DAVIS, maps: false };
  await lab.trace(question);
  const before = await counted(lab);
  const start = Date.now();
  // Another prompt: one that was traced before is not computed again.
  await lab.trace({ ...question, prompt: question.prompt.replace('of', 'for') });
  const seconds = (Date.now() - start) / 1000;
  const after = await counted(lab);
  const took = Object.fromEntries(Object.keys(after).map(what => [what, after[what] - before[what]]));
  console.log(`${JSON.stringify(took)} in ${seconds.toFixed(2)} s`);
  assert.ok(took.dispatches > 0);
  assert.ok(took.dispatches <= MOST, `${took.dispatches} dispatches`);
});

/** Before the kernels of our own there were 4569 (docs/BENCHMARKS.md, "On a GPU"). */
const MOST = 1100;
