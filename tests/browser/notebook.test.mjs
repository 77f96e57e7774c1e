// A result page as `engram_lab.page` shows it in a notebook: whole, alive, and shut in its frame.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { skip, test, until } from './lib/check.mjs';
import { installed, ROOT } from './lib/paths.mjs';
import { folder, live, pageOf, saved, STUDY } from './lib/result.mjs';
import { serve } from './lib/server.mjs';

/** What the module gives a notebook to show; it needs nothing but Python for that. */
function framed(path) {
  const python = installed('python3', 'python');
  if (!python) skip('no Python here');
  const code = 'import sys; sys.stdout.reconfigure(encoding="utf-8"); from engram_lab import Page; print(Page(sys.argv[1], 600)._repr_html_())';
  const env = { ...process.env, PYTHONPATH: join(ROOT, 'app', 'python'), PYTHONDONTWRITEBYTECODE: '1' };
  return execFileSync(python, ['-c', code, path], { encoding: 'utf8', maxBuffer: 1 << 28, env });
}

test('a page in a notebook is alive in its frame, and stays in it', 60, async use => {
  const dir = use(folder());
  const frame = framed(pageOf([STUDY], join(dir.path, 'page.html')));
  const host = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>notebook</title>${frame}`;
  const site = use(await serve(dir.path, { pages: { 'notebook.html': host } }));
  const browser = use(await launch({ webgpu: false }));
  const page = await browser.open(`${site.url}notebook.html`);
  const [, inner] = page.frames();
  await live(inner);
  assert.ok((await page.locator('iframe').boundingBox()).height >= 600);

  // A link to a section scrolls within the frame; it does not lead to the notebook's address.
  const link = inner.locator('a[href="#cite"]').first();
  await link.click();
  await until('the section', () => inner.evaluate(() => scrollY > 0));
  assert.equal(await inner.evaluate(() => location.href), 'about:srcdoc#cite');
  assert.ok(await inner.locator('#article.live h1').count());

  // It can neither read the notebook nor act for it.
  const told = await inner.evaluate(() => {
    try {
      return parent.document.title;
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(told, 'SecurityError');

  // Its figures are saved all the same.
  const button = inner.locator('.leads > .plate > .menu').getByRole('button', { name: 'SVG' });
  const [name, bytes] = await saved(page, button);
  assert.match(name, /^figure-[12]\.svg$/);
  assert.ok(bytes.toString().startsWith('<svg '));
  assert.ok(readFileSync(join(dir.path, 'page.html'), 'utf8').length < frame.length);
});
