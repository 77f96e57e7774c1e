// Result pages: made by the native program, opened from disk, and what a test needs of the records within.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { nativeStudy } from './native.mjs';
import { DIST, program, ROOT } from './paths.mjs';

/** The record that comes with the page. */
export const SAMPLE = join(DIST, 'sample.engram.json.gz');

/** A study of engram-llama with every outcome: 62 facts, two of them dropped, one without a layer; maps, edits, both patch positions. */
export const STUDY = join(ROOT, 'tests', 'browser', 'lib', 'llama.json.gz');

/** A folder for a while. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'engram-page-'));
  return { path, close: async () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs the program; what it says on stderr is in the error where it fails. */
export function engram(...given) {
  return execFileSync(program(), [...given, '--quiet'], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: 'pipe' });
}

/** Makes a page of records in files; gives its path. */
export function pageOf(files, out) {
  engram('report', ...files, '-o', out, '--site', DIST);
  return out;
}

/** Makes a page of records as values in a folder; gives its path. */
export function pageOfRecords(records, path, name = 'page.html') {
  const files = records.map((record, at) => {
    const file = join(path, `${basename(name, '.html')}-${at}.engram.json`);
    writeFileSync(file, JSON.stringify(record));
    return file;
  });
  return pageOf(files, join(path, name));
}

/** {@link STUDY} and a smaller study of another model: their files, themselves, and the page of both. */
export function twoStudies(path) {
  const second = join(path, 'engram-phi.engram.json');
  writeFileSync(second, nativeStudy('engram-phi'));
  const files = [STUDY, second];
  const records = [JSON.parse(gunzipSync(readFileSync(STUDY))), JSON.parse(readFileSync(second))];
  return { files, records, out: pageOf(files, join(path, 'page.html')) };
}

/** Notes when the viewer has drawn the article, in ms since the page began to load. */
export async function timed(page) {
  await page.addInitScript(() => {
    const watch = new MutationObserver(() => {
      if (!document.querySelector('#article.live h1')) return;
      window.liveAt = performance.now();
      watch.disconnect();
    });
    watch.observe(document, { subtree: true, childList: true });
  });
}

/** Opens a page from disk, waits until the viewer has drawn it, and unfolds it. */
export async function opened(browser, path, hash = '', before) {
  const page = await browser.open(pathToFileURL(path).href + hash, before);
  await live(page);
  await unfold(page);
  return page;
}

/** Opens the sections, and what is folded of captions; what was scrolled to stays where it is. */
export async function unfold(page, folds = 'details:is(.fold, .note)') {
  await page.evaluate(folds => {
    const hash = new URLSearchParams(location.hash.slice(1));
    for (const fold of document.querySelectorAll(folds)) fold.open = true;
    const place = hash.get('see') ?? (hash.has('fact') ? 'fact' : location.hash.slice(1));
    if (place) document.getElementById(place)?.scrollIntoView();
  }, folds);
}

/** Waits for the viewer; fails at once with what it says where it does not start. */
export async function live(page, seconds = 20) {
  const [article, crash] = [page.locator('#article.live h1'), page.locator('#crash:not([hidden])')];
  await article.or(crash).first().waitFor({ state: 'attached', timeout: seconds * 1000 });
  if (await crash.count()) throw new Error(await crash.innerText());
}

/** What the address of a page has behind its `#`. */
export const chosen = page => new URLSearchParams(new URL(page.url()).hash.slice(1));

/** Presses a button, and gives the name and the bytes of what is saved. */
export async function saved(page, button) {
  const download = page.waitForEvent('download', { timeout: 60_000 });
  await button.click();
  const file = await download;
  return [file.suggestedFilename(), readFileSync(await file.path())];
}

/** Sufficiency of a traced fact, layer by layer (METHODS): what a patch gives beyond the corrupted run's probability. */
export function sufficiency(fact, reading) {
  return fact.patched[reading].map(p => p - fact.p_corrupt);
}

/** The dominant layer of a fact, from 1; `null` where it was excluded, or every patch only hurts. */
export function dominant(fact, reading = 'subject-last') {
  if (fact.outcome !== 'validated') return null;
  const curve = sufficiency(fact, reading);
  const last = curve.length - 1;
  const nothing = reading !== 'last-token' && Math.abs(curve[last]) <= 1e-6;
  if (nothing) curve[last] = 0;
  const best = curve.indexOf(Math.max(...curve));
  return nothing && best === last ? null : best + 1;
}

/** Mean sufficiency per layer over the traced facts of a record. */
export function meanSufficiency(record, reading) {
  const curves = record.facts.filter(fact => fact.outcome === 'validated').map(fact => sufficiency(fact, reading));
  assert.ok(curves.length > 0);
  return curves[0].map((_, layer) => curves.reduce((sum, curve) => sum + curve[layer], 0) / curves.length);
}
