// Accessibility of every tab, light and dark, on a small laptop and on a phone.

import { accessible } from './lib/axe.mjs';
import { launch, SIZES, shot, show, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';

const TABS = ['Trace', 'Edit', 'Study', 'Models', 'Lessons'];

for (const colorScheme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`nothing serious in the tabs, ${colorScheme}, ${size}`, 90, async use => {
      const site = use(await serve(DIST));
      const browser = use(await launch({ context: { colorScheme, viewport } }));
      const page = await browser.open(site.url);
      await started(page);
      const wrong = [];
      for (const tab of TABS) {
        await show(page, tab);
        await shot(page, `tab-${tab.toLowerCase()}-${colorScheme}-${size}`);
        await accessible(page, tab).catch(error => wrong.push(error.message));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) wrong.push(`${tab}: ${wide} pixels wider than the window`);
      }
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
    });
  }
}
