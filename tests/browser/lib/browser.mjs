// A headless Chromium and its pages. What a page complains about fails the test that opened it.

import { chromium as playwright } from 'playwright-core';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, OUT } from './paths.mjs';

const ALWAYS = [
  '--no-sandbox',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** WebGPU on the software adapter that Chromium brings. */
const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** A small laptop and a phone in portrait. */
export const SIZES = { laptop: { width: 1280, height: 720 }, phone: { width: 390, height: 844 } };

/**
 * Starts a browser with a profile of its own, which is gone with it.
 *
 * - `webgpu`: whether there is WebGPU;
 * - `flags`: more of Chromium's flags;
 * - `context`: options of the pages, such as `colorScheme` and `viewport`.
 */
export async function launch({ webgpu = true, flags = [], context = {} } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'engram-browser-'));
  const open = () => playwright.launchPersistentContext(profile, {
    executablePath: chromium(),
    headless: true,
    args: [...ALWAYS, ...(webgpu ? WEBGPU : []), ...flags],
    viewport: SIZES.laptop,
    ...context,
  });
  const browser = { context: await open(), complaints: [], allowed: [] };
  const listen = () => {
    browser.context.on('console', message => {
      if (message.type() === 'error') browser.complaints.push(`console: ${message.text()}`);
    });
    browser.context.on('weberror', error => browser.complaints.push(`error: ${error.error()}`));
  };
  listen();
  /** A new page at an address. */
  browser.open = async (url, before) => {
    const page = await browser.context.newPage();
    if (before) await before(page);
    await page.goto(url);
    return page;
  };
  /** Complaints that match are part of the test. */
  browser.allow = pattern => browser.allowed.push(pattern);
  /** Complaints so far that no test asked for. */
  browser.unasked = () => browser.complaints.filter(text => !browser.allowed.some(pattern => pattern.test(text)));
  /** Another start of the same browser: what it stored is still there. */
  browser.restart = async () => {
    await browser.context.close();
    browser.context = await open();
    listen();
  };
  browser.close = async () => {
    await browser.context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    const unasked = browser.unasked();
    if (unasked.length > 0) throw new Error(`the page complained:\n  ${unasked.join('\n  ')}`);
  };
  return browser;
}

/** Waits until the page's program has started; fails at once when it says that it has crashed. */
export async function started(page) {
  const tabs = page.getByRole('tablist', { name: 'Parts of the lab' });
  await tabs.or(page.locator('#crash:not([hidden])')).first().waitFor({ timeout: 30_000 });
  if (!(await tabs.isVisible())) throw new Error(await page.locator('#crash').innerText());
}

/** Shows a tab. */
export async function show(page, tab) {
  await page.getByRole('tab', { name: tab, exact: true }).click();
}

/** Keeps a picture of the whole page. */
export async function shot(page, name) {
  // The status line stays at the window's end; in a picture of the whole page it would lie in the middle.
  const style = '[aria-label=Status] { position: static !important }';
  await page.screenshot({ path: join(OUT, `${name}.png`), fullPage: true, style });
}

/** Drops files on the page as a person does who drags them there: `[name, text or bytes]` each. */
export async function drop(page, files) {
  const given = files.map(([name, content]) => ({ name, text: Buffer.from(content).toString('base64') }));
  await page.evaluate(given => {
    const data = new DataTransfer();
    for (const { name, text } of given) {
      data.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name));
    }
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
    }
  }, given);
}
