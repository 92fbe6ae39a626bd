// The addresses that `make run` prints, opened in a browser as they stand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startChromium, visitor } from './chromium.js';
import { startDevServer } from './dev-server.js';

const LANDING = '/_local/landing';

let browser;
let server;

before(async () => {
  server = await startDevServer();
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The one printed address with this path. */
function printed(path) {
  const addresses = server.banner.match(/http:[^ '"]+/g).map(text => new URL(text));
  const found = addresses.filter(({ pathname, search }) => pathname === path && search);
  assert.equal(found.length, 1, path);
  return found[0].href;
}

for (const [path, brought] of [
  ['/h5/authorize', 'ticket'],
  ['/authorize', 'code'],
]) {
  test(`${path} leads through Alipay to the local page, which does not show the ${brought}`, async () => {
    const { page, violations } = await visitor(browser);
    const response = await page.goto(printed(path));
    const { origin, pathname, searchParams } = new URL(page.url());
    assert.equal(origin + pathname, server.url + LANDING);
    const secret = searchParams.get(brought);
    assert.match(secret, /^[0-9a-f]{64}$/);
    assert.match(await page.innerText('#arrived'), new RegExp(`\\b${brought} arrived`));
    assert.ok(!(await response.text()).includes(secret));
    assert.deepEqual(violations, []);
  });
}
