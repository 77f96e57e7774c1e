// A page that came over plain http from another machine is no secure context: no WebGPU, no storage of files, no
// clipboard. It says so in one line, computes on the CPU, and what it computes can be taken along.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { accessible } from './lib/axe.mjs';
import { launch, shot, show, started } from './lib/browser.mjs';
import { skip, test } from './lib/check.mjs';
import * as firefox from './lib/firefox.mjs';
import { DAVIS, fill, go, traced, tracing } from './lib/lab.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { BUNDLED, DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { studied, study, studying, keeps } from './lib/studies.mjs';

/** A name that is not localhost; the browser is told that it is this machine. */
const HOST = 'lab.test';

/** How each browser is started: its page, and how a button's file is got. */
const BROWSERS = {
  chromium: async use => {
    const browser = use(await launch({ flags: [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`] }));
    const page = await browser.context.newPage();
    const saved = async button => {
      const file = page.waitForEvent('download');
      await button.click();
      return (await file).path();
    };
    return { page, saved };
  },
  firefox: async use => {
    const why = firefox.missing();
    if (why) skip(why);
    return use(await firefox.launchFirefox({ prefs: { 'network.dns.localDomains': HOST } }));
  },
};

for (const [name, opened] of Object.entries(BROWSERS)) {
  test(`an insecure page says so, computes, and loses nothing, in ${name}`, 180, async use => {
    const { page, saved } = await opened(use);
    const site = use(await serve(DIST));
    await page.goto(site.url.replace('localhost', HOST));
    await started(page);
    const has = () => [isSecureContext, 'gpu' in navigator, 'storage' in navigator, 'clipboard' in navigator];
    assert.deepEqual(await page.evaluate(has), [false, false, false, false]);
    const status = page.getByRole('contentinfo', { name: 'Status' });
    await status.getByText('this page came over plain http: no WebGPU, nothing is kept').waitFor();

    await fill(page, DAVIS);
    await go(page).click();
    await traced(page);
    await status.getByText(/^no WebGPU, nothing is kept: this page came over plain http/).waitFor();
    await shot(page, `insecure-trace-${name}`);
    await accessible(page, 'an insecure page');
    const { facts: [fact], settings } = JSON.parse(readFileSync(await saved(tracing(page).getByRole('button', { name: 'Save record' }))));
    console.log(agree(fact, nativeTrace(join(BUNDLED, 'engram-relay'), { ...DAVIS, ...settings, maps: true }).facts[0]));

    // Without a clipboard the links stand on the page, to be copied by hand.
    await tracing(page).getByRole('button', { name: 'Copy link', exact: true }).click();
    const link = await tracing(page).getByText(`http://${HOST}:`).first().innerText();
    assert.equal(new URL(link).searchParams.get('prompt'), DAVIS.prompt);
    await tracing(page).getByRole('button', { name: 'Copy link with result' }).click();
    await tracing(page).getByText('The browser does not let this page copy; take the link from here:').waitFor();

    await study(page, 2);
    await studied(page);
    await shot(page, `insecure-study-${name}`);
    const packed = readFileSync(await saved(studying(page).getByRole('button', { name: /^Save (the )?record/ })));
    const record = JSON.parse(gunzipSync(packed));
    assert.equal(record.facts.filter(fact => fact.outcome === 'validated').length, 2);

    // A paused study goes on with what it has, as long as the tab is open.
    await study(page, 400);
    await studying(page).getByRole('button', { name: 'Pause' }).click();
    await studying(page).getByRole('button', { name: 'Resume' }).first().click();
    await studied(page);
    await keeps(page, '400 of 400 facts, finished');

    // Another visit knows nothing of it, and says nothing else.
    await page.reload();
    await started(page);
    await show(page, 'Study');
    assert.equal(await studying(page).getByText(/ of \d+ facts/).count(), 0);
    assert.equal(await page.locator('#crash').isVisible(), false);
  });
}
