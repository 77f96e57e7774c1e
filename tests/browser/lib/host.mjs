// Where the specs compute: in a worker of the tab, or with the engine of the computer that serves the page.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { started } from './browser.mjs';
import { DIST, program } from './paths.mjs';
import { serve } from './server.mjs';

/** `tab` or `computer`. */
export const host = () => process.env.ENGRAM_HOST ?? 'tab';

/** The lab as `engram lab` serves it, with its engine; studies and token are in a folder of their own, `data`, where one is given. */
export async function computer({ data, more = [], port = 0 } = {}) {
  const folder = data ?? mkdtempSync(join(tmpdir(), 'engram-data-'));
  const arguments_ = ['lab', '--no-open', '--port', String(port), '--site', DIST, '--device', 'cpu', ...more];
  const child = spawn(program(), arguments_, { env: { ...process.env, ENGRAM_DATA: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', text => { said += text; });
  const link = await new Promise((done, fail) => {
    let text = '';
    child.stdout.on('data', more => {
      text += more;
      if (text.includes('\n')) done(text.split('\n')[0]);
    });
    child.once('exit', code => fail(new Error(`engram lab ended with ${code}: ${said}`)));
  });
  const gone = new Promise(done => child.once('exit', done));
  return {
    /** The address that is printed, with the token. */
    link,
    url: link.split('#')[0],
    port: Number(new URL(link).port),
    child,
    data: folder,
    /** Ends it as a power cut does. */
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
    close: async () => {
      child.kill('SIGINT');
      await gone;
      if (data === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The site of this run's host; the computer's has `models`, a folder, and a worker's has `options` of its server. */
export async function served(use, { models, options } = {}) {
  const more = models ? ['--models', models] : [];
  return use(host() === 'computer' ? await computer({ more }) : await serve(DIST, options));
}

/** Opens a page of a site at a path; a visitor of the computer comes with the link that it prints. */
export async function visit(browser, site, path = '') {
  if (site.link === undefined) return browser.open(site.url + path);
  const page = await browser.open(site.link);
  if (path === '') return page;
  await started(page);
  await page.goto(site.url + path);
  return page;
}
