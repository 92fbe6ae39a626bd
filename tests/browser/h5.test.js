// The login by redirect (h5-oauth) as a person sees it, from the shop's link to the shop's page.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { agree, callbackLink, CONSENT_PAGE, consentPage, refuse } from './alipay.js';
import { lastAddress, startChromium, visitor } from './chromium.js';
import { APP_ID, startDevServer, USER_ID, USER_NAME } from './dev-server.js';
import { startSite } from './site.js';

const CALLBACK = '/h5/callback';
const BACK = '/welcome';

let browser;
let shop;
let server;
/** What went by and nobody else may learn. */
const secrets = [];

before(async () => {
  shop = await startSite();
  const client = { clientId: 'the-shop', appid: APP_ID, returnTo: [shop.url(BACK), shop.url(`${BACK}?shop=7`)], redirectUris: [] };
  server = await startDevServer([client]);
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await shop?.stop();
});

/** The address that a shop's login link has. */
function authorize(scope, more = {}) {
  const query = new URLSearchParams({ appid: APP_ID, scope, return_to: shop.url(BACK), ...more });
  return `${server.url}/h5/authorize?${query}`;
}

/** The ticket that the visitor has brought back to the shop. */
async function ticketOf({ page, addresses }) {
  await page.waitForURL(({ pathname }) => pathname === BACK);
  const ticket = new URL(page.url()).searchParams.get('ticket');
  const { searchParams } = lastAddress({ addresses }, CALLBACK);
  secrets.push(ticket, searchParams.get('auth_code'), searchParams.get('state'));
  return ticket;
}

/** What the shop's own server asks with a ticket. */
async function redeem(ticket, more = {}) {
  const response = await fetch(`${server.url}/h5/ticket`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ticket, ...more }),
  });
  return { status: response.status, body: await response.json() };
}

async function logIn(scope, more) {
  const person = await visitor(browser);
  await shop.sendToLogin(person, authorize(scope, more));
  if (scope === 'auth_user') await agree(person);
  return { person, ticket: await ticketOf(person) };
}

function assertRefused({ status, body }) {
  assert.ok(status >= 400 && status < 500, `${status}`);
  assert.notEqual(body.code, 0);
  for (const name of ['uid', 'openid', 'userId', 'buyer_id', 'token']) assert.equal(body[name], undefined, name);
}

/** The page for people: in both languages, with a number to ask about and nothing that runs or looks elsewhere. */
async function assertReadablePage({ page, violations }, response) {
  assert.equal(response.status(), 400);
  assert.match(response.headers()['content-type'], /^text\/html; *charset=utf-8$/i);
  assert.equal(response.headers()['cache-control'], 'no-store');
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  const text = await page.innerText('body');
  assert.match(text, /重新登录/);
  assert.match(text, /log in again/i);
  assert.match(text, /[0-9a-f-]{16,}/);
  assert.equal(await page.locator('script, [src], [href], [onclick], [onload]').count(), 0);
  assert.deepEqual(violations, []);
}

test('a silent login brings the visitor back with a ticket that is worth one answer', async () => {
  const { person, ticket } = await logIn('auth_base', { return_to: shop.url(`${BACK}?shop=7`) });
  const { searchParams } = new URL(person.page.url());
  assert.deepEqual([...searchParams.keys()], ['shop', 'ticket']);
  assert.equal(searchParams.get('shop'), '7');
  assert.equal(lastAddress(person, CALLBACK).origin, server.url);
  assert.deepEqual(await person.context.cookies(), []);

  const first = await redeem(ticket);
  assert.equal(first.status, 200);
  assert.equal(first.body.code, 0);
  assert.equal(first.body.buyer_id, USER_ID);
  assert.equal(first.body.userId, USER_ID);
  assert.match(first.body.uid, /^[0-9a-f]{32}$/);
  assert.ok(first.body.tokenExpired > Date.now());
  secrets.push(first.body.token);
  assertRefused(await redeem(ticket));
});

test('of two answers asked for with one ticket at once, one is given', async () => {
  const { ticket } = await logIn('auth_base');
  const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(ticket)));
  const given = answers.filter(({ body }) => body.code === 0);
  assert.equal(given.length, 1);
  answers.filter(answer => answer !== given[0]).forEach(assertRefused);
});

test('whoever opens the callback once more gets a readable page, and nothing is exchanged', async () => {
  const { person } = await logIn('auth_base');
  const link = lastAddress(person, CALLBACK).href;
  const exchanges = await server.exchanges();
  await assertReadablePage(person, await person.page.goto(link));
  await assertReadablePage(person, await person.page.reload());
  // The way back leads past the login to the shop.
  await person.page.goBack();
  assert.equal(new URL(person.page.url()).origin, new URL(shop.url('/')).origin);
  assert.equal(await server.exchanges(), exchanges);
});

test('somebody who agrees on the consent page is logged in, and their token opens the routes of the signed-in', async () => {
  const { ticket } = await logIn('auth_user');
  const { body } = await redeem(ticket);
  assert.equal(body.buyer_id, USER_ID);
  secrets.push(body.token);

  const ask = headers =>
    fetch(`${server.url}/openapi/alipay/user/getUserInfo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    });
  const profile = await (await ask({ authorization: `Bearer ${body.token}` })).json();
  assert.equal(profile.code, 0);
  assert.equal(profile.nickName, USER_NAME);
  assert.equal(profile.openid, body.openid);
  assert.equal((await ask({})).status, 401);
  assert.equal((await ask({ authorization: `Bearer ${body.token.slice(0, -8)}AAAAAAAA` })).status, 401);
});

test('somebody who refuses stays at Alipay, and nothing is exchanged', async () => {
  const person = await visitor(browser);
  const [exchanges, visits] = [await server.exchanges(), shop.visitsOf(BACK)];
  await shop.sendToLogin(person, authorize('auth_user'));
  await refuse(person);
  await person.page.waitForSelector('#refused');
  assert.equal(new URL(person.page.url()).pathname, CONSENT_PAGE);
  assert.equal(await server.exchanges(), exchanges);
  assert.equal(shop.visitsOf(BACK), visits);
});

test('the browser keeps the binding for ten minutes, for the login alone and out of reach of scripts', async () => {
  const person = await visitor(browser);
  await shop.sendToLogin(person, authorize('auth_user'));
  await consentPage(person);
  const [binding, ...others] = await person.context.cookies();
  assert.deepEqual(others, []);
  const { name, value, expires, ...flags } = binding;
  assert.match(name, /^__Host-login-[0-9a-f]{16}$/);
  assert.match(value, /^[0-9a-f]{64}$/);
  // Without the domain's leading dot it goes back to this very host.
  assert.deepEqual(flags, { domain: '127.0.0.1', path: '/', httpOnly: true, secure: true, sameSite: 'Lax' });
  const seconds = expires - Date.now() / 1000;
  assert.ok(seconds > 540 && seconds <= 600, `${seconds}`);
  secrets.push(value);
});

test('a callback link works in the browser that began, and in no other and for no link preview', async () => {
  const [attacker, victim, busyVictim] = [await visitor(browser), await visitor(browser), await visitor(browser)];
  await shop.sendToLogin(attacker, authorize('auth_user'));
  const link = await callbackLink(attacker);
  const exchanges = await server.exchanges();

  assert.equal((await fetch(link, { redirect: 'manual' })).status, 400);
  await assertReadablePage(victim, await victim.page.goto(link));
  // A login of one's own under way is no help.
  await shop.sendToLogin(busyVictim, authorize('auth_user'));
  await consentPage(busyVictim);
  await assertReadablePage(busyVictim, await busyVictim.page.goto(link));
  assert.equal(await server.exchanges(), exchanges);

  // Nothing of it was spent: whoever began can finish.
  await attacker.page.goto(link);
  const { body } = await redeem(await ticketOf(attacker));
  assert.equal(body.code, 0);
  assert.equal(await server.exchanges(), exchanges + 1);
});

test('two logins of one browser do not disturb each other', async () => {
  const person = await visitor(browser);
  await shop.sendToLogin(person, authorize('auth_user'));
  const link = await callbackLink(person);
  await shop.sendToLogin(person, authorize('auth_user'));
  await agree(person);
  assert.equal((await redeem(await ticketOf(person))).body.code, 0);
  await person.page.goto(link);
  assert.equal((await redeem(await ticketOf(person))).body.code, 0);
});

test('a ticket that is bound to a verifier is worth nothing without it', async () => {
  const verifier = randomBytes(32).toString('base64url');
  const code_challenge = createHash('sha256').update(verifier).digest('base64url');
  const bound = () => logIn('auth_base', { code_challenge, code_challenge_method: 'S256' });
  assertRefused(await redeem((await bound()).ticket));
  assertRefused(await redeem((await bound()).ticket, { code_verifier: randomBytes(32).toString('base64url') }));
  assert.equal((await redeem((await bound()).ticket, { code_verifier: verifier })).body.code, 0);
});

test('nobody is sent to Alipay for an address that is not on the list', async () => {
  const person = await visitor(browser);
  for (const return_to of [
    shop.url('/elsewhere'),
    `${shop.url(BACK)}?shop=8`,
    `${shop.url(BACK)}/`,
    shop.url(BACK).replace('localhost', 'localhost.evil.example'),
    shop.url(BACK).replace('localhost', 'localhost@evil.example'),
    '//evil.example/',
    '/\\evil.example/',
    'https:evil.example',
    'javascript:document.title="reflected"',
    `${shop.url(BACK)}\r\nset-cookie:a=b`,
  ]) {
    const response = await person.page.goto(authorize('auth_base', { return_to }));
    assert.equal(response.status(), 400, return_to);
    assert.equal(new URL(person.page.url()).origin, server.url, return_to);
  }
  assert.deepEqual(await person.context.cookies(), []);
});

test('nothing of what came in the query is on the page', async () => {
  const person = await visitor(browser);
  const marked = name => `<script>document.title='reflected-${name}'</script>"'><img src=x onerror=alert(1)>reflected-${name}`;
  const names = ['error', 'error_description', 'auth_code', 'state', 'app_id', 'scope', 'source', 'unknown'];
  const query = new URLSearchParams(names.map(name => [name, marked(name)]));
  const exchanges = await server.exchanges();
  for (const address of [`${server.url}${CALLBACK}?${query}`, authorize('auth_base', { return_to: marked('return_to') })]) {
    const response = await person.page.goto(address);
    await assertReadablePage(person, response);
    assert.doesNotMatch(JSON.stringify(response.headers()), /reflected/);
    assert.doesNotMatch(await response.text(), /reflected/);
    assert.doesNotMatch(await person.page.title(), /reflected/);
  }
  assert.equal(await server.exchanges(), exchanges);
});

test('no code, state, cookie, ticket or token of all this is in the log', () => {
  const log = server.log();
  assert.match(log, /h5-oauth/);
  assert.ok(secrets.length > 20);
  for (const secret of secrets) {
    assert.ok(secret.length >= 32, secret);
    assert.ok(!log.includes(secret), `${secret} is in the log`);
  }
});
