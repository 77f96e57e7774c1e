// The page as files: under any path, from its own server only.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { launch, shot, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';

for (const at of ['/', '/some/where/']) {
  test(`the page starts under ${at}`, 60, async use => {
    const site = use(await serve(DIST, { at }));
    const browser = use(await launch());
    const foreign = [];
    browser.context.on('request', request => {
      if (!request.url().startsWith(site.url) && /^https?:/.test(request.url())) foreign.push(request.url());
    });
    const page = await browser.open(site.url);
    await started(page);
    await shot(page, at === '/' ? 'first-view' : 'first-view-sub-path');
    assert.deepEqual(foreign, [], 'the page asked other servers, or outside its folder');
    const missing = site.log.filter(entry => entry.status !== 200 && entry.status !== 206);
    assert.deepEqual(missing, [], 'files that are not there');
  });
}

test('without its program the page says so', 60, async use => {
  // The builds put digests into the names.
  const program = readdirSync(DIST).find(name => /^engram-web.*\.wasm$/.test(name));
  const site = use(await serve(DIST, { pages: { [program]: 'not a program' } }));
  const browser = use(await launch());
  browser.allow(/./);
  const page = await browser.open(site.url);
  await page.getByRole('alert').filter({ hasText: 'The page has crashed' }).waitFor({ timeout: 20_000 });
});
