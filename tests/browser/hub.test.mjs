// Models of a hub: a mirror on this machine answers as the Hugging Face hub does, with digests and a move elsewhere.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { sha256 } from './lib/native.mjs';
import { BUNDLED, DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { engine } from './lib/worker.mjs';

const FOLDER = join(BUNDLED, 'engram-qwen2');
const FILE = 'model.safetensors';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const ID = 'someone/qwen-tiny';

/** What the hub says of the repository; `digest` is the weights'. */
function repository(digest) {
  const sibling = name => ({ rfilename: name, size: statSync(join(FOLDER, name)).size });
  const weights = { ...sibling(FILE), lfs: { sha256: digest, size: statSync(join(FOLDER, FILE)).size } };
  const siblings = [{ rfilename: 'README.md', size: 10 }, sibling('config.json'), sibling('tokenizer.json'), weights];
  return JSON.stringify({ id: ID, sha: COMMIT, cardData: { license: 'apache-2.0' }, siblings });
}

/** A hub whose large files lie on another server, as the real one's do. */
async function begin(use, digest) {
  const store = use(await serve(FOLDER, { at: '/store/', cors: true }));
  const name = `api/models/${ID}/revision/main`;
  const pages = { [name]: repository(digest) };
  for (const file of ['config.json', 'tokenizer.json']) {
    pages[`${ID}/resolve/${COMMIT}/${file}`] = readFileSync(join(FOLDER, file));
  }
  const moved = { [`/${ID}/resolve/${COMMIT}/${FILE}`]: `${store.url}${FILE}` };
  const hub = use(await serve(null, { cors: true, pages, moved }));
  const site = use(await serve(DIST));
  const browser = use(await launch());
  browser.allow(/Failed to load resource/);
  const lab = await engine(browser, site, { query: `?hub=${encodeURIComponent(hub.origin)}` });
  await lab.start('cpu');
  return { lab, hub, store, model: { from: 'hub', id: ID, revision: null } };
}

test('a model of the hub is looked at, loaded and verified', 90, async use => {
  const { lab, store, model } = await begin(use, sha256(join(FOLDER, FILE)));
  const preflight = await (await lab.ask({ ask: 'preflight', model })).last('preflight');
  assert.equal(preflight.licence, 'apache-2.0');
  assert.equal(preflight.family, 'qwen2');
  assert.deepEqual(preflight.problems, []);
  const loaded = await lab.load(model);
  assert.equal(loaded.verified, true);
  assert.equal(loaded.info.name, ID);
  assert.equal(loaded.info.weights_sha256, sha256(join(FOLDER, FILE)));
  const { models } = await (await lab.ask({ ask: 'cache' })).last('cache');
  assert.deepEqual(models.map(({ name, verified }) => [name, verified]), [[ID, true]]);
  const sent = store.log.reduce((sum, entry) => sum + entry.sent, 0);
  assert.ok(sent < statSync(join(FOLDER, FILE)).size + 512 * 1024, `${sent} bytes were sent`);
});

test('weights that are not what the hub describes are refused and not kept', 90, async use => {
  const { lab, model } = await begin(use, 'ab'.repeat(32));
  const failed = await (await lab.ask({ ask: 'load', model })).failed();
  assert.match(failed.message, /SHA-256|digest/);
  assert.ok(failed.hint);
  const { models } = await (await lab.ask({ ask: 'cache' })).last('cache');
  assert.deepEqual(models, []);
  // Nothing half-loaded answers.
  await (await lab.ask({ ask: 'tokenize', prompt: 'The capital of France is', subject: 'France' })).failed();
});

test('a model that needs an account, and one that there is none of, are errors with advice', 60, async use => {
  const { lab, hub } = await begin(use, 'ab'.repeat(32));
  hub.refused = { '/api/models/google/gated/revision/main': 401, '/api/models/a/broken/revision/main': 503 };
  for (const id of ['google/gated', 'a/broken', 'nobody/nothing']) {
    for (const ask of ['preflight', 'load']) {
      const failed = await (await lab.ask({ ask, model: { from: 'hub', id, revision: null } })).failed();
      assert.ok(failed.hint && ['input', 'io'].includes(failed.kind), JSON.stringify(failed));
    }
  }
});
