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
  // What happened, in order: D a kernel, A the one that attends, U an upload, S a submit, R a read.
  const log = [];
  const count = (owner, name, what, letter) => {
    const { [name]: own } = owner.prototype;
    owner.prototype[name] = function (...wanted) {
      counts[what] += 1;
      log.push(letter(this));
      return own.apply(this, wanted);
    };
  };
  const attending = new WeakSet();
  const attends = /^attention/;
  const { createShaderModule, createComputePipeline, createComputePipelineAsync } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (wanted) {
    const module = createShaderModule.call(this, wanted);
    if (attends.test(wanted.label)) attending.add(module);
    return module;
  };
  const noted = (pipeline, { compute }) => {
    if (attending.has(compute.module)) attending.add(pipeline);
    return pipeline;
  };
  GPUDevice.prototype.createComputePipeline = function (wanted) {
    return noted(createComputePipeline.call(this, wanted), wanted);
  };
  GPUDevice.prototype.createComputePipelineAsync = async function (wanted) {
    return noted(await createComputePipelineAsync.call(this, wanted), wanted);
  };
  const { setPipeline } = GPUComputePassEncoder.prototype;
  const current = new WeakMap();
  GPUComputePassEncoder.prototype.setPipeline = function (pipeline) {
    current.set(this, attending.has(pipeline));
    return setPipeline.call(this, pipeline);
  };
  const kind = pass => (current.get(pass) ? 'A' : 'D');
  count(GPUComputePassEncoder, 'dispatchWorkgroups', 'dispatches', kind);
  count(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', 'dispatches', kind);
  count(GPUQueue, 'submit', 'submits', () => 'S');
  count(GPUQueue, 'writeBuffer', 'uploads', () => 'U');
  count(GPUBuffer, 'mapAsync', 'reads', () => 'R');
  new BroadcastChannel('counts').onmessage = ({ data, target }) => {
    if (data === 'ask') target.postMessage({ ...counts, log: log.splice(0).join('') });
  };`;

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

/** A new engine's trace of a fact that its kernels are compiled for: what it asked of the GPU. */
async function traced(use) {
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
  const { log, ...after } = await counted(lab);
  const took = Object.fromEntries(Object.keys(after).map(what => [what, after[what] - before[what]]));
  return { took, log, seconds };
}

test('a trace dispatches few kernels, and uploads nothing between two blocks', 180, async use => {
  const { took, log, seconds } = await traced(use);
  // What a pass needs goes up before its first block, so that all its blocks stand between two uploads or read-backs.
  const passes = log.split(/[UR]/).filter(pass => pass.includes('A'));
  const between = passes.flatMap(pass => pass.split('A').slice(1, -1));
  const blocks = between.map(kernels => kernels.replaceAll('S', '').length + 1).sort((a, b) => a - b);
  const median = blocks[blocks.length >> 1];
  const counts = passes.map(pass => pass.split('A').length - 1);
  console.log(`${JSON.stringify(took)} in ${seconds.toFixed(2)} s; passes of ${counts.join(', ')} blocks, ${median} dispatches a block`);
  assert.ok(took.dispatches > 0 && took.dispatches <= MOST, `${took.dispatches} dispatches`);
  assert.ok(median <= OF_A_BLOCK, `${median} dispatches a block`);
  assert.ok(Math.min(...counts) >= BLOCKS - 1, `an upload between two blocks: ${log}`);
});

/** Before the kernels of our own there were 4569 (docs/BENCHMARKS.md, "On a GPU"). */
const MOST = 850;
/** Of a block in which no rows enter and nothing is changed there are ten, and one for each sum that cubes share. */
const OF_A_BLOCK = 12;
/** Of engram-relay. In a patched run's first block attention may be what was captured. */
const BLOCKS = 8;
