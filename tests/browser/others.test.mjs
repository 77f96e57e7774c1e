// Not only Chromium: the lab and a result page in Firefox and in WebKitGTK, as the system installs them.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { skip, test, until } from './lib/check.mjs';
import * as firefox from './lib/firefox.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { BUNDLED, DIST } from './lib/paths.mjs';
import { folder, pageOf, STUDY } from './lib/result.mjs';
import { serve } from './lib/server.mjs';
import * as webkit from './lib/webkit.mjs';

const BROWSERS = {
  firefox: [firefox.missing, firefox.launchFirefox],
  webkit: [webkit.missing, webkit.launchWebKit],
};

/** A button of the trace screen. */
const button = text => `//*[@role='tabpanel']//button[starts-with(normalize-space(.), '${text}')]`;

/** The page says that it has crashed, or stays silent. */
async function unharmed(browser) {
  const said = await browser.evaluate(() => document.querySelector('#crash:not([hidden])')?.textContent ?? null);
  assert.equal(said, null);
}

/** The lab: it opens, it computes, and its record is the native program's. */
async function lab(browser, site, name) {
  const begun = Date.now();
  await browser.open(site.url);
  await until('the lab', async () => {
    await unharmed(browser);
    return browser.evaluate(() => document.querySelectorAll('[role=tablist] [role=tab]').length >= 4);
  });
  const ready = Date.now() - begun;
  await browser.press(button('Trace'));
  const said = await until('a trace', async () => {
    await unharmed(browser);
    const text = await browser.evaluate(() => document.querySelector('.origin')?.innerText ?? '');
    return /^Computed here.* s[.,]/s.test(text) && text;
  }, 60);
  await browser.picture(`other-${name}-trace`);
  const cells = await browser.evaluate(() => document.querySelectorAll('#map [role=gridcell][aria-label]').length);
  // What the page offers as a file is a blob; the browser's own way of saving it is not the page's matter.
  await browser.evaluate(() => {
    const made = URL.createObjectURL;
    URL.createObjectURL = blob => {
      blob.text().then(text => { window.saved = text; });
      return made.call(URL, blob);
    };
  });
  await browser.press(button('Save record'));
  const record = JSON.parse(await until('the record', () => browser.evaluate(() => window.saved ?? null)));
  const [fact] = record.facts;
  const asked = { prompt: fact.prompt, subject: fact.subject, target: fact.target_true, target_new: fact.target_new };
  const native = nativeTrace(join(BUNDLED, record.model.name), { ...asked, ...record.settings, maps: true });
  console.log(`${name}: open after ${ready} ms. ${said} ${agree(fact, native.facts[0])}`);
  assert.equal(cells, fact.tokens.length * fact.without_mlp.length, 'cells of the map');
  await unharmed(browser);
}

/** A result page from disk: alive, with its figures. */
async function page(browser, path, name) {
  await browser.open(pathToFileURL(path).href);
  await until('the article', async () => {
    await unharmed(browser);
    return browser.evaluate(() => document.querySelector('#article.live h1') !== null);
  });
  const [facts, drawn] = await browser.evaluate(() => [
    document.querySelectorAll('#facts tbody tr').length,
    document.querySelectorAll('#article figure svg :is(path, rect, circle)').length,
  ]);
  assert.ok(facts >= 10 && drawn > 100, `${facts} facts, ${drawn} shapes`);
  await browser.picture(`other-${name}-page`);
  await browser.evaluate(() => document.querySelectorAll('details').forEach(one => { one.open = true; }));
  await browser.press("//*[@id='facts']//tbody//button");
  await unharmed(browser);
}

for (const [name, [missing, launch]] of Object.entries(BROWSERS)) {
  test(`the lab computes and a result page opens in ${name}`, 120, async use => {
    const why = missing();
    if (why) skip(why);
    const site = use(await serve(DIST));
    const dir = use(folder());
    const browser = use(await launch());
    await lab(browser, site, name);
    await page(browser, pageOf([STUDY], join(dir.path, 'page.html')), name);
  });
}
