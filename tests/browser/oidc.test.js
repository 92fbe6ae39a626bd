// The OpenID Connect front (oidc), judged by openid-client: its discovery, its checks of the answers and of the id_token, and a person
// with a browser in between.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as openid from 'openid-client';

import { agree, callbackLink } from './alipay.js';
import { lastAddress, startChromium, visitor } from './chromium.js';
import { APP_ID, startDevServer, USER_ID, USER_NAME } from './dev-server.js';
import { startSite } from './site.js';

const CALLBACK = '/oidc/callback';
const BACK = '/signed-in';
// What client_secret_basic has to escape is in both.
const SERVER = 'a-server:1';
const SECRET = 'the-secret-of-a-server-that-keeps-it:+/%&="';

let browser;
let site;
let server;
let page;
let confidential;
/** What went by and nobody else may learn. */
const secrets = [SECRET];

before(async () => {
  site = await startSite();
  const registered = { appid: APP_ID, redirectUris: [site.url(BACK)], returnTo: [site.url(BACK)] };
  server = await startDevServer([
    { clientId: 'a-page', ...registered },
    { clientId: SERVER, clientSecret: SECRET, ...registered },
  ]);
  page = await discovered('a-page', openid.None());
  confidential = await discovered(SERVER, openid.ClientSecretBasic(SECRET));
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await site?.stop();
});

/** The client's view of the server: http, as it is loopback, and the id_token's signature is verified with the published keys. */
function discovered(clientId, authentication) {
  const execute = [openid.allowInsecureRequests, openid.enableNonRepudiationChecks];
  return openid.discovery(new URL(server.url), clientId, {}, authentication, { execute });
}

/** What a client remembers of one login, and where it sends the person. */
async function begin(client, { scope = 'openid', pkce = true, more = {} } = {}) {
  const checks = {
    pkceCodeVerifier: pkce ? openid.randomPKCECodeVerifier() : undefined,
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
  };
  const parameters = {
    redirect_uri: site.url(BACK),
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  };
  if (pkce) {
    parameters.code_challenge = await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier);
    parameters.code_challenge_method = 'S256';
  }
  return { checks, address: openid.buildAuthorizationUrl(client, parameters).href };
}

/** The address that the person came back to the site with. */
async function wayBack({ page, addresses }) {
  await page.waitForURL(({ pathname }) => pathname === BACK);
  const back = new URL(page.url());
  const { searchParams } = lastAddress({ addresses }, CALLBACK);
  secrets.push(back.searchParams.get('code'), searchParams.get('auth_code'), searchParams.get('state'));
  return back;
}

/** One login up to the code. */
async function signIn(client, options = {}) {
  const person = await visitor(browser);
  const { checks, address } = await begin(client, options);
  await site.sendToLogin(person, address);
  if (options.scope?.includes('profile')) await agree(person);
  return { checks, back: await wayBack(person) };
}

async function tokens(client, { checks, back }) {
  const received = await openid.authorizationCodeGrant(client, back, checks);
  secrets.push(received.access_token, received.id_token);
  return received;
}

const refusedWith = error => ({ code: 'OAUTH_RESPONSE_BODY_ERROR', error });

test('a person agrees, and a public client has their id_token and their profile', async () => {
  const login = await signIn(page, { scope: 'openid profile' });
  assert.equal(login.back.searchParams.get('iss'), server.url);
  const received = await tokens(page, login);
  assert.equal(received.token_type, 'bearer');
  const claims = received.claims();
  assert.equal(claims.iss, server.url);
  assert.equal(claims.aud, 'a-page');
  assert.equal(claims.app_id, APP_ID);
  assert.equal(claims.openid, USER_ID);
  assert.match(claims.sub, /^[0-9a-f]{32}$/);
  // openid-client has compared it with the one it sent.
  assert.equal(claims.nonce, login.checks.expectedNonce);

  const profile = await openid.fetchUserInfo(page, received.access_token, claims.sub);
  assert.equal(profile.sub, claims.sub);
  assert.equal(profile.name, USER_NAME);
  assert.equal(profile.gender, 'male');
  assert.deepEqual(profile.address, { region: '浙江省', locality: '杭州市' });
});

test('without the scope profile nobody is asked, and nothing but the account is told', async () => {
  const received = await tokens(page, await signIn(page));
  const profile = await openid.fetchUserInfo(page, received.access_token, received.claims().sub);
  assert.deepEqual(Object.keys(profile), ['sub']);
});

test('who is not to be asked is logged in without the profile, and not at all with it', async () => {
  const silent = { prompt: 'none' };
  const { checks, back } = await signIn(page, { more: silent });
  await tokens(page, { checks, back });

  const { address } = await begin(page, { scope: 'openid profile', more: silent });
  const person = await visitor(browser);
  await site.sendToLogin(person, address);
  await person.page.waitForURL(({ pathname }) => pathname === BACK);
  assert.equal(new URL(person.page.url()).searchParams.get('error'), 'consent_required');
});

test('a client with a secret proves it by client_secret_basic, with PKCE or without', async () => {
  const withPkce = await tokens(confidential, await signIn(confidential));
  assert.equal(withPkce.claims().aud, SERVER);
  const without = await tokens(confidential, await signIn(confidential, { pkce: false }));
  assert.equal(without.claims().sub, withPkce.claims().sub);
});

test('by client_secret_post as well', async () => {
  const posting = await discovered(SERVER, openid.ClientSecretPost(SECRET));
  assert.equal((await tokens(posting, await signIn(posting))).claims().aud, SERVER);
});

test('a wrong secret is refused, and so is none', async () => {
  for (const authentication of [openid.ClientSecretBasic('another'), openid.ClientSecretPost('another')]) {
    const wrong = await discovered(SERVER, authentication);
    const login = await signIn(wrong);
    await assert.rejects(openid.authorizationCodeGrant(wrong, login.back, login.checks), error => error.status === 401);
  }
  const silent = await discovered(SERVER, openid.None());
  const login = await signIn(silent);
  await assert.rejects(openid.authorizationCodeGrant(silent, login.back, login.checks), refusedWith('invalid_client'));
});

test('a code is taken once', async () => {
  const login = await signIn(page);
  await tokens(page, login);
  await assert.rejects(openid.authorizationCodeGrant(page, login.back, login.checks), refusedWith('invalid_grant'));
});

test('a code is worth nothing with another code_verifier, and nothing to another client', async () => {
  const login = await signIn(page);
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  await assert.rejects(
    openid.authorizationCodeGrant(page, login.back, { ...login.checks, pkceCodeVerifier }),
    refusedWith('invalid_grant'),
  );
  const others = await signIn(page);
  await assert.rejects(
    openid.authorizationCodeGrant(confidential, others.back, others.checks),
    refusedWith('invalid_grant'),
  );
});

test('an id_token has the nonce of its own login', async () => {
  const login = await signIn(page);
  const checks = { ...login.checks, expectedNonce: openid.randomNonce() };
  await assert.rejects(openid.authorizationCodeGrant(page, login.back, checks), ({ cause }) => cause.cause.claim === 'nonce');
});

test('a public client that sends no code_challenge is sent back with an error', async () => {
  const person = await visitor(browser);
  const { checks, address } = await begin(page, { pkce: false });
  await site.sendToLogin(person, address);
  await person.page.waitForURL(({ pathname }) => pathname === BACK);
  const back = new URL(person.page.url());
  assert.equal(back.searchParams.get('iss'), server.url);
  await assert.rejects(openid.authorizationCodeGrant(page, back, checks), {
    code: 'OAUTH_AUTHORIZATION_RESPONSE_ERROR',
    error: 'invalid_request',
  });
});

test('nobody is sent to an address that is not registered', async () => {
  const person = await visitor(browser);
  const { address } = await begin(page);
  for (const redirect_uri of [site.url('/elsewhere'), `${site.url(BACK)}?a=b`, 'https://evil.example/']) {
    const link = new URL(address);
    link.searchParams.set('redirect_uri', redirect_uri);
    const response = await person.page.goto(link.href);
    assert.equal(response.status(), 400, redirect_uri);
    assert.equal(new URL(person.page.url()).origin, server.url, redirect_uri);
    assert.equal(await person.page.locator('script').count(), 0);
  }
});

test('a callback link works in the browser that began and in no other', async () => {
  const [attacker, victim] = [await visitor(browser), await visitor(browser)];
  const { checks, address } = await begin(page, { scope: 'openid profile' });
  await site.sendToLogin(attacker, address);
  const link = await callbackLink(attacker);
  const exchanges = await server.exchanges();
  assert.equal((await victim.page.goto(link)).status(), 400);
  assert.equal(await server.exchanges(), exchanges);
  await attacker.page.goto(link);
  assert.equal((await tokens(page, { checks, back: await wayBack(attacker) })).claims().openid, USER_ID);
});

test('one person has one account, whichever way they log in', async () => {
  const { sub } = (await tokens(page, await signIn(page))).claims();
  const person = await visitor(browser);
  const query = new URLSearchParams({ appid: APP_ID, scope: 'auth_base', return_to: site.url(BACK) });
  await site.sendToLogin(person, `${server.url}/h5/authorize?${query}`);
  await person.page.waitForURL(({ pathname }) => pathname === BACK);
  const ticket = new URL(person.page.url()).searchParams.get('ticket');
  const response = await fetch(`${server.url}/h5/ticket`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ticket }),
  });
  assert.equal((await response.json()).uid, sub);
});

test('an access token is none of the signed-in routes, and an id_token is none of userinfo', async () => {
  const received = await tokens(page, await signIn(page));
  const signedIn = token =>
    fetch(`${server.url}/openapi/alipay/urlscheme/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ path: 'pages/index/index' }),
    });
  assert.equal((await signedIn(received.id_token)).status, 200);
  assert.equal((await signedIn(received.access_token)).status, 401);
  await assert.rejects(openid.fetchUserInfo(page, received.id_token, received.claims().sub), error => error.status === 401);
});

test('no secret, code, state or token of all this is in the log', () => {
  const log = server.log();
  assert.match(log, /oidc/);
  assert.ok(secrets.length > 20);
  for (const secret of secrets) {
    assert.ok(secret.length >= 32, secret);
    assert.ok(!log.includes(secret), `${secret} is in the log`);
  }
});
