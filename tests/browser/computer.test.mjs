// The engine of the computer that serves the page: who may use it, what a cut line loses, what a study does without its tab. The specs
// of the screens run against it in both.test.mjs.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { launch, shot, show, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { computer, visit } from './lib/host.mjs';
import { DAVIS, fill, go, models, recordOf, settings, traced } from './lib/lab.mjs';

/** What the status line says. */
const status = page => page.getByRole('contentinfo', { name: 'Status' });
const places = page => page.getByRole('group', { name: 'Where it computes' });

async function begin(use, options) {
  const site = use(await computer(options));
  const browser = use(await launch());
  const page = await visit(browser, site);
  await started(page);
  page.on('dialog', dialog => dialog.accept());
  return { site, browser, page };
}

test('the link lets a page compute on the computer, and the page says where it computes', 120, async use => {
  const { site, browser, page } = await begin(use);
  assert.ok(!page.url().includes('engine='), 'the token is not left in the address');
  await status(page).getByText(/^on /).waitFor();
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  const there = await recordOf(page);
  assert.match(there.device.backend, /native/);
  await show(page, 'Models');
  await places(page).waitFor();
  await shot(page, 'computer-models');
  await accessible(page, 'the Models screen with an engine of the computer');

  // In the tab the same numbers, and back.
  await places(page).getByRole('button', { name: 'This tab' }).click();
  await status(page).getByText('in this tab').waitFor();
  await show(page, 'Trace');
  await go(page).click();
  await traced(page);
  const here = await recordOf(page);
  assert.match(here.device.backend, /wasm|web/i);
  const values = record => record.facts[0].patched['subject-last'];
  values(here).forEach((value, at) => assert.ok(Math.abs(value - values(there)[at]) < 1e-4));
  // The choice outlives the page; another visitor without the token has none.
  await page.reload();
  await started(page);
  await status(page).getByText('in this tab').waitFor();
  const stranger = use(await launch());
  const other = await stranger.open(site.url);
  await started(other);
  await show(other, 'Models');
  assert.equal(await places(other).count(), 0);
  // The browser that the program starts comes with a ticket, which is good once; this one is none.
  const guest = use(await launch());
  guest.allow(/403/);
  const third = await guest.open(`${site.url}#engine=once.guess`);
  await started(third);
  await show(third, 'Models');
  assert.equal(await places(third).count(), 0);
  assert.ok(!third.url().includes('once.') && browser);
});

/** Fills in a study that is not over before its page is. */
async function long(study) {
  await study.getByRole('textbox', { name: 'Facts', exact: true }).fill('120');
  await study.getByRole('textbox', { name: 'Facts with maps' }).fill('100');
  await study.getByRole('textbox', { name: 'Edits' }).fill('30');
}

test('a study goes on without its tab, and is there when it comes back', 240, async use => {
  const { site, browser, page } = await begin(use);
  await page.goto(`${site.url}?tab=study`);
  await started(page);
  const study = page.getByRole('tabpanel', { name: 'Study' });
  await study.getByText(/It goes on when this tab is closed/).waitFor();
  await long(study);
  await study.getByRole('button', { name: 'Study', exact: true }).click();
  await study.getByRole('region', { name: 'The study that runs' }).waitFor();
  await study.getByRole('button', { name: /, running$/, pressed: true }).waitFor({ timeout: 90_000 });
  await study.locator('.fact-table tbody tr').nth(1).waitFor({ timeout: 90_000 });
  await page.close();

  // A new tab follows it without being asked, and traces beside it.
  const again = await browser.open(`${site.url}?tab=study`);
  await started(again);
  const followed = again.getByRole('tabpanel', { name: 'Study' });
  const live = followed.getByRole('region', { name: 'The study that runs' });
  await live.waitFor({ timeout: 30_000 });
  await shot(again, 'computer-study');
  // Stopping there ends the following alone: the study goes on, and is followed again by whoever comes.
  await status(again).getByRole('button', { name: /^Stop/ }).first().click();
  await followed.getByText('The study goes on on that computer.').waitFor({ timeout: 30_000 });
  assert.equal(await live.count(), 0, 'it is not followed');
  await shot(again, 'computer-unfollowed');
  await again.reload();
  await started(again);
  await live.waitFor({ timeout: 30_000 });
  await followed.getByRole('complementary', { name: 'A finished study' }).waitFor({ timeout: 200_000 });
  await followed.locator('.kept > summary').click();
  await followed.getByRole('listitem').filter({ hasText: '120 of 120 facts' }).getByText(/30 edits, finished/).waitFor();
});

test('a line that is cut is taken up again', 120, async use => {
  const site = use(await computer());
  const browser = use(await launch());
  const page = await browser.open(site.link, page => page.addInitScript(() => {
    const Real = window.WebSocket;
    window.sockets = [];
    window.WebSocket = class extends Real {
      constructor(...given) {
        super(...given);
        window.sockets.push(this);
      }
    };
  }));
  await started(page);
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  const before = await recordOf(page);
  // Cut again and again while a trace is under way: its rows come all the same, and the record is the same.
  await settings(page, drawer => drawer.getByRole('button', { name: 'add noise' }).click());
  await go(page).click();
  for (let cut = 0; cut < 4; cut += 1) {
    await page.evaluate(() => window.sockets.at(-1).close());
    await page.waitForTimeout(150);
  }
  await traced(page);
  await status(page).getByText('the line is cut').waitFor({ state: 'detached' });
  assert.ok((await page.evaluate(() => window.sockets.length)) >= 3, 'it called again');
  const noise = await recordOf(page);
  assert.equal(noise.settings.corruption.kind, 'noise');
  assert.deepEqual(noise.facts[0].tokens, before.facts[0].tokens);
});

test('a program that is ended in the middle of a study has lost nothing', 240, async use => {
  const first = await computer();
  const browser = use(await launch());
  browser.allow(/WebSocket|ERR_|Failed to load/);
  const page = await visit(browser, first);
  await started(page);
  await page.goto(`${first.url}?tab=study`);
  await started(page);
  const study = page.getByRole('tabpanel', { name: 'Study' });
  await long(study);
  await study.getByRole('button', { name: 'Study', exact: true }).click();
  await study.getByRole('button', { name: /, running$/, pressed: true }).waitFor({ timeout: 90_000 });
  await study.locator('.fact-table tbody tr').nth(1).waitFor({ timeout: 90_000 });
  await first.kill();
  await status(page).getByText(/the line is cut, calling again/).waitFor({ timeout: 10_000 });
  const second = use(await computer({ data: first.data, port: first.port }));
  assert.equal(second.link, first.link, 'the same address and token');
  await page.reload();
  await started(page);
  await study.getByRole('complementary', { name: 'An unfinished study' }).getByRole('button', { name: 'Resume' }).click();
  await study.getByRole('complementary', { name: 'A finished study' }).waitFor({ timeout: 200_000 });
});
