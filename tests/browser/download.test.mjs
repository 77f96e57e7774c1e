// Models from a server: with Range requests and without, broken off, cut short, and kept in the browser.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { same, test } from './lib/check.mjs';
import { nativeTrace, sha256, WITHIN } from './lib/native.mjs';
import { BUNDLED, DIST, FIXTURES } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { widened } from './lib/weights.mjs';
import { engine } from './lib/worker.mjs';

const FOLDER = join(BUNDLED, 'engram-phi');
const FILE = 'model.safetensors';
/** The weights in f32: larger than what the worker asks for at a time. */
const WEIGHTS = widened(readFileSync(join(FOLDER, FILE)));
const SHA256 = createHash('sha256').update(WEIGHTS).digest('hex');
const SIZE = WEIGHTS.length;
/** What may be asked for twice: headers, and what was under way when a connection broke. */
const SLACK = 512 * 1024;

const DAVIS = {
  prompt: 'Miles Davis performed as a musician on the',
  subject: 'Miles Davis',
  target: 'trumpet',
  target_new: 'guitar',
  maps: false,
};

/** A site, a browser, an engine on the CPU, and another server that has the model. */
async function begin(use, options = {}) {
  const site = use(await serve(DIST));
  const hub = use(await serve(FOLDER, { at: '/phi/', cors: true, pages: { [FILE]: WEIGHTS }, ...options }));
  const browser = use(await launch());
  const lab = await engine(browser, site);
  await lab.start('cpu');
  const sent = () => hub.of(`/phi/${FILE}`).reduce((sum, entry) => sum + entry.sent, 0);
  return { lab, hub, browser, sent, model: { from: 'url', url: hub.url } };
}

/** The loaded model is the one on the disk, and computes as it. */
async function whole(lab, loaded) {
  assert.equal(loaded.info.weights_sha256, SHA256);
  assert.equal(loaded.info.tokenizer_sha256, sha256(join(FOLDER, 'tokenizer.json')));
  const { record } = await lab.trace(DAVIS);
  same(record.facts[0].patched, nativeTrace(FOLDER, DAVIS).facts[0].patched, WITHIN, 'patches');
}

test('a model comes from a server, is kept, and comes from the browser the next time', 150, async use => {
  const { lab, hub, sent, model, browser } = await begin(use);
  const preflight = await (await lab.ask({ ask: 'preflight', model })).last('preflight');
  assert.ok(sent() < SLACK, `the preflight took ${sent()} bytes of the weights`);
  assert.deepEqual(preflight.problems, []);
  assert.equal(preflight.family, 'phi');
  assert.equal(preflight.layers, 8);
  assert.ok(preflight.bytes >= SIZE && preflight.download >= SIZE && preflight.download <= preflight.bytes);

  const call = await lab.ask({ ask: 'load', model });
  const loaded = await call.last('loaded');
  assert.equal(preflight.parameters, loaded.info.parameters);
  const phases = new Set(call.of('loading').map(news => news.phase));
  assert.ok(phases.has('weights'), `phases: ${[...phases]}`);
  const bytes = call.of('loading').filter(news => news.phase === 'weights').map(news => news.bytes);
  assert.ok(bytes.every((count, at) => at === 0 || count >= bytes[at - 1]), 'progress never goes back');
  assert.ok(sent() < SIZE + SLACK, `${sent()} bytes were sent of ${SIZE}`);
  const [before, peak, after] = loaded.heap;
  assert.ok(before > 0 && before <= peak && after <= peak, `heap ${loaded.heap}`);
  await whole(lab, loaded);

  const { models } = await (await lab.ask({ ask: 'cache' })).last('cache');
  assert.equal(models.length, 1);
  assert.ok(models[0].bytes === models[0].all && models[0].bytes >= SIZE, JSON.stringify(models[0]));

  // The same address in another life of the worker: no weights over the network.
  hub.log.length = 0;
  await lab.reload();
  await lab.start('cpu');
  await whole(lab, await lab.load(model));
  assert.ok(sent() < SLACK, `${sent()} bytes of weights the second time`);

  // After a restart of the browser, without any network.
  await browser.restart();
  const later = await engine(browser, lab.site);
  await later.start('cpu');
  await hub.close();
  await whole(later, await later.load({ from: 'cached', key: models[0].key }));

  const dropped = await (await later.ask({ ask: 'drop-cached', key: models[0].key })).last('cache');
  assert.deepEqual(dropped.models, []);
});

test('a transfer that breaks off goes on from where it was', 120, async use => {
  const { lab, hub, sent, model } = await begin(use, { cut: { path: `/phi/${FILE}`, at: SIZE / 2, times: 1 } });
  const call = await lab.ask({ ask: 'load', model });
  const loaded = await call.last('loaded');
  assert.equal(hub.cut.times, 0, 'the connection was cut');
  const retries = call.of('loading').filter(news => news.phase === 'retry');
  assert.ok(retries.length >= 1 && retries[0].attempt >= 1 && retries[0].why, 'the retry is told');
  const cut = hub.of(`/phi/${FILE}`).findIndex(entry => entry.cut);
  const next = hub.of(`/phi/${FILE}`)[cut + 1];
  const from = Number(/bytes=(\d+)-/.exec(next.range)?.[1] ?? 0);
  assert.ok(from > SIZE / 4, `it went on from byte ${from}`);
  // What was under way when the connection was cut is sent twice.
  const lost = Math.max(0, SIZE / 2 - from);
  assert.ok(sent() < SIZE + lost + SLACK, `${sent()} bytes were sent of ${SIZE}, and ${lost} were lost`);
  await whole(lab, loaded);
});

test('a server without Range requests will do', 120, async use => {
  const { lab, hub, model } = await begin(use, { range: false });
  const preflight = await (await lab.ask({ ask: 'preflight', model })).last('preflight');
  assert.deepEqual(preflight.problems, []);
  assert.ok(preflight.remarks.length > 0, 'it is told that the transfer cannot resume');
  await whole(lab, await lab.load(model));
  assert.ok(hub.log.every(entry => entry.status !== 206));
});

test('without Range requests a broken transfer begins again', 120, async use => {
  const cut = { path: `/phi/${FILE}`, at: SIZE / 2, times: 1 };
  const { lab, hub, model } = await begin(use, { range: false, cut });
  await whole(lab, await lab.load(model));
  assert.equal(hub.cut.times, 0, 'the connection was cut');
});

test('a transfer that falls silent is taken up again', 150, async use => {
  const { lab, hub, sent, model } = await begin(use, { stall: { path: `/phi/${FILE}`, at: SIZE / 2, times: 1 } });
  const call = await lab.ask({ ask: 'load', model });
  const loaded = await call.last('loaded');
  assert.equal(hub.stall.times, 0, 'the transfer stalled');
  const retries = call.of('loading').filter(news => news.phase === 'retry');
  assert.ok(retries.some(news => /sent nothing for \d+ s/.test(news.why)), JSON.stringify(retries));
  assert.ok(sent() < SIZE + SLACK, `${sent()} bytes were sent of ${SIZE}`);
  await whole(lab, loaded);
});

test('a download that falls silent can be stopped at once', 60, async use => {
  const { lab, hub, model } = await begin(use, { stall: { path: `/phi/${FILE}`, at: SIZE / 2, times: 9 } });
  const call = await lab.ask({ ask: 'load', model });
  while (hub.stall.times === 9) await new Promise(done => setTimeout(done, 20));
  await new Promise(done => setTimeout(done, 1000));
  const start = Date.now();
  await lab.cancel(call);
  assert.equal((await call.failed()).kind, 'cancelled');
  assert.ok(Date.now() - start < 3000, `it took ${Date.now() - start} ms`);
});

test('a server whose Content-Range other sites may not see will do', 120, async use => {
  const { lab, model } = await begin(use, { hidden: true });
  await whole(lab, await lab.load(model));
});

test('a server that names no sizes at all will do', 120, async use => {
  const { lab, model } = await begin(use, { chunked: true });
  await whole(lab, await lab.load(model));
});

test('a server that sends more than it names is refused soon', 120, async use => {
  const { lab, hub, sent, model } = await begin(use);
  await (await lab.ask({ ask: 'preflight', model })).last('preflight');
  hub.log.length = 0;
  hub.more = { path: `/phi/${FILE}`, bytes: 250e6 };
  const failed = await (await lab.ask({ ask: 'load', model })).failed();
  assert.ok(failed.hint && failed.message, JSON.stringify(failed));
  assert.ok(sent() < SIZE + 60e6, `${sent()} bytes were sent`);
  console.log(failed.message);
});

test('a stopped download goes on in another life of the page', 120, async use => {
  const { lab, hub, sent, model } = await begin(use, { rate: 4e6 });
  const call = await lab.ask({ ask: 'load', model });
  await call.until(call => call.of('loading').find(news => news.phase === 'weights' && news.bytes > 3e6), '3 MB');
  await lab.cancel(call);
  assert.equal((await call.failed()).kind, 'cancelled');
  const first = sent();
  assert.ok(first < SIZE, 'the transfer ended with the request');
  await lab.reload();
  hub.rate = null;
  hub.log.length = 0;
  await lab.start('cpu');
  const preflight = await (await lab.ask({ ask: 'preflight', model })).last('preflight');
  assert.ok(preflight.download < preflight.bytes - 2e6, `${preflight.download} of ${preflight.bytes} are still to come`);
  const loaded = await lab.load(model);
  assert.ok(sent() < SIZE - 2e6 + SLACK, `${sent()} of ${SIZE} bytes were sent again`);
  await whole(lab, loaded);
});

test('a file that has changed on the server is not mixed with the old one', 120, async use => {
  const { lab, hub, model } = await begin(use, { rate: 4e6 });
  const call = await lab.ask({ ask: 'load', model });
  await call.until(call => call.of('loading').find(news => news.phase === 'weights' && news.bytes > 1e6), '1 MB');
  await lab.cancel(call);
  await call.failed();
  const changed = Buffer.from(WEIGHTS);
  changed.fill(changed.subarray(-4), 400_000, 600_000);
  hub.pages[FILE] = changed;
  hub.rate = null;
  const news = await (await lab.ask({ ask: 'load', model })).final();
  if (news.news === 'failed') assert.ok(news.hint, news.message);
  else assert.equal(news.info.weights_sha256, createHash('sha256').update(changed).digest('hex'));
  console.log(news.news === 'failed' ? news.message : 'the new file was loaded');
});

test('a .gguf file comes with the tokenizer beside it', 90, async use => {
  const { lab, hub } = await begin(use);
  const read = (...path) => readFileSync(join(FIXTURES, '..', ...path));
  hub.pages = {
    'tiny.gguf': read('gguf', 'llama-tied.gguf'),
    'tokenizer.json': read('models', 'llama-tied', 'tokenizer.json'),
  };
  const loaded = await lab.load({ from: 'url', url: `${hub.url}tiny.gguf` });
  assert.equal(loaded.info.family, 'llama');
  assert.equal(loaded.info.weights_sha256, sha256(join(FIXTURES, '..', 'gguf', 'llama-tied.gguf')));
  assert.equal(loaded.info.tokenizer_sha256, sha256(join(FIXTURES, '..', 'models', 'llama-tied', 'tokenizer.json')));
  // And without one.
  hub.pages = { 'alone.gguf': read('gguf', 'llama-tied.gguf') };
  const alone = await lab.load({ from: 'url', url: `${hub.url}alone.gguf` });
  assert.equal(alone.info.weights_sha256, loaded.info.weights_sha256);
  assert.notEqual(alone.info.tokenizer_sha256, loaded.info.tokenizer_sha256);
});

test('what cannot be loaded is an error with advice, soon', 120, async use => {
  const { lab, hub, browser } = await begin(use);
  browser.allow(/Failed to load resource|CORS policy/);
  const read = name => readFileSync(join(FOLDER, name));
  const others = { 'config.json': read('config.json'), 'tokenizer.json': read('tokenizer.json') };
  const broken = {
    'cut short': { [FILE]: WEIGHTS.subarray(0, SIZE - 100_000), ...others },
    'without a header': { [FILE]: Buffer.alloc(1000, 0xff), ...others },
    'a page instead of a file': { [FILE]: '<!doctype html><title>Sign in</title>', ...others },
    'without tokenizer.json': { [FILE]: WEIGHTS, 'config.json': others['config.json'], 'tokenizer.json': '{}' },
    'with a foreign config': { [FILE]: WEIGHTS, ...others, 'config.json': '{"model_type": "mamba"}' },
  };
  for (const [what, pages] of Object.entries(broken)) {
    hub.pages = Object.fromEntries(Object.entries(pages).map(([name, page]) => [`${what}/${name}`, page]));
    const url = `${hub.url}${encodeURIComponent(what)}/`;
    const failed = await (await lab.ask({ ask: 'load', model: { from: 'url', url } })).failed();
    assert.ok(['input', 'io'].includes(failed.kind) && failed.message, `${what}: ${JSON.stringify(failed)}`);
    assert.ok(failed.hint, `${what}: no hint with "${failed.message}"`);
    console.log(`${what}: ${failed.message} (${failed.hint})`);
  }
  const elsewhere = [`${hub.url}nothing-here/`, 'http://localhost:9/m/'];
  for (const url of elsewhere) {
    const failed = await (await lab.ask({ ask: 'load', model: { from: 'url', url } })).failed();
    assert.ok(failed.hint, `${url}: no hint with "${failed.message}"`);
  }
  hub.cors = false;
  const closed = await (await lab.ask({ ask: 'load', model: { from: 'url', url: hub.url } })).failed();
  assert.ok(closed.hint, `no hint with "${closed.message}"`);
  hub.cors = true;
  hub.pages = { [FILE]: WEIGHTS };
  // The engine is none the worse for it.
  await whole(lab, await lab.load({ from: 'url', url: hub.url }));
});
