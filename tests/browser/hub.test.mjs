// Models of a hub: a mirror on this machine answers as the Hugging Face hub does, with digests and a move elsewhere.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { sha256 } from './lib/native.mjs';
import { BUNDLED, DIST, FIXTURES } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { engine } from './lib/worker.mjs';

const FOLDER = join(BUNDLED, 'engram-qwen2');
const FILE = 'model.safetensors';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const ID = 'someone/qwen-tiny';

/** What the hub says of the repository; `digest` is the weights'. */
function repository(digest, tokenizer = null) {
  const sibling = name => ({ rfilename: name, size: statSync(join(FOLDER, name)).size });
  const weights = { ...sibling(FILE), lfs: { sha256: digest, size: statSync(join(FOLDER, FILE)).size } };
  const words = { ...sibling('tokenizer.json'), ...(tokenizer ? { lfs: { sha256: tokenizer } } : {}) };
  const siblings = [{ rfilename: 'README.md', size: 10 }, sibling('config.json'), words, weights];
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

test('one GGUF file of a repository is a model; a repository of them says which there are', 90, async use => {
  const { lab, hub } = await begin(use, 'ab'.repeat(32));
  const file = join(FIXTURES, '..', 'gguf', 'llama-tied.gguf');
  const [small, large] = ['tiny-Q8_0.gguf', 'more/tiny-F16.gguf'];
  const siblings = [
    { rfilename: 'config.json', size: 3 },
    { rfilename: small, size: statSync(file).size, lfs: { sha256: sha256(file), size: statSync(file).size } },
    { rfilename: large, size: 2_500_000 },
  ];
  hub.pages = {
    [`api/models/${ID}/revision/main`]: JSON.stringify({ id: ID, sha: COMMIT, siblings }),
    [`${ID}/resolve/${COMMIT}/${small}`]: readFileSync(file),
  };
  const model = file => ({ from: 'hub', id: ID, revision: null, file });
  for (const absent of [null, 'no.gguf']) {
    const failed = await (await lab.ask({ ask: 'preflight', model: model(absent) })).failed();
    assert.ok(failed.message.includes(`${large} (2.5 MB)`) && failed.message.includes(small), failed.message);
    assert.ok(failed.hint.endsWith(`${ID}:${small}`) && !failed.hint.includes('--'), failed.hint);
  }
  const preflight = await (await lab.ask({ ask: 'preflight', model: model(small) })).last('preflight');
  assert.deepEqual([preflight.name, preflight.problems], [`${ID}:${small}`, []]);
  const loaded = await lab.load(model(small));
  assert.deepEqual([loaded.info.name, loaded.verified], [`${ID}:${small}`, true]);
});

test('a tokenizer that is not what the hub describes is refused and not kept', 90, async use => {
  const right = sha256(join(FOLDER, FILE));
  const { lab, hub, model } = await begin(use, right);
  const name = `api/models/${ID}/revision/main`;
  hub.pages[name] = repository(right, 'ab'.repeat(32));
  const failed = await (await lab.ask({ ask: 'load', model })).failed();
  assert.match(failed.message, /tokenizer.*SHA-256/);
  const { models } = await (await lab.ask({ ask: 'cache' })).last('cache');
  assert.deepEqual(models, []);
  hub.pages[name] = repository(right, sha256(join(FOLDER, 'tokenizer.json')));
  assert.equal((await lab.load(model)).verified, true);
});

test('what is no hub, and a hub that names what is no file', 60, async use => {
  const { lab, hub, model } = await begin(use, 'ab'.repeat(32));
  const name = `api/models/${ID}/revision/main`;
  const good = JSON.parse(hub.pages[name]);
  const answers = {
    '<!doctype html><title>Sign in</title>': /is no hub: it answered with a web page/,
    '{"sha": 7}': /is no hub/,
    [JSON.stringify({ ...good, sha: '../../other' })]: /the hub names/,
    [JSON.stringify({ ...good, siblings: [...good.siblings.slice(0, 3), { rfilename: '../x.safetensors' }] })]: /./,
  };
  for (const [page, expected] of Object.entries(answers)) {
    hub.pages[name] = page;
    const failed = await (await lab.ask({ ask: 'load', model })).failed();
    assert.match(failed.message, expected);
    assert.ok(failed.hint, failed.message);
  }
});

test('refusals are told apart as the hub tells them', 60, async use => {
  const { lab, hub } = await begin(use, 'ab'.repeat(32));
  const at = (id, revision = 'main') => `/api/models/${id}/revision/${revision}`;
  hub.refused = {
    [at('a/gated')]: [401, 'GatedRepo', 'Access to model a/gated is restricted'],
    [at('a/private')]: [401, 'RepoNotFound', 'Invalid username or password.'],
    [at('a/old', 'v9')]: [404, 'RevisionNotFound', 'Invalid rev id: v9'],
    [at('a/busy')]: [429, '', ''],
  };
  const expected = { 'a/gated': /gated/, 'a/private': /private/, 'a/old': /no such revision/, 'a/busy': /too many/ };
  for (const [id, words] of Object.entries(expected)) {
    const revision = id === 'a/old' ? 'v9' : null;
    const failed = await (await lab.ask({ ask: 'load', model: { from: 'hub', id, revision } })).failed();
    assert.match(failed.message, words);
    assert.ok(failed.hint, failed.message);
  }
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
