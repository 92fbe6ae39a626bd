'use strict';

// The official Node SDK, unmodified, against the simulator. `validateSign` makes it check every reply's signature.

// The SDK writes the timestamp in the zone of the host.
process.env.TZ = 'Asia/Shanghai';

const assert = require('node:assert/strict');
const { after, afterEach, before, test } = require('node:test');
const { AlipayFormData, AlipaySdk } = require('alipay-sdk');
const { startSimulator } = require('./simulator');

const USER_ID = '2088000000000001';
const QRCODE = { url_param: 'pages/index/index', query_param: 'scene=甲&b=1', describe: '小程序码 & "描述"/+%' };
const VALIDATED = { validateSign: true };

let simulator;
let app;
let openIdApp;
let certificateApp;
let sdk;

before(async () => {
  simulator = await startSimulator([
    { identifiers: 'both', sign_types: ['RSA2', 'RSA'] },
    { identifiers: 'open_id_only', tokens: { spelling: 'string' } },
    { certificates: true },
  ]);
  [app, openIdApp, certificateApp] = simulator.apps;
  sdk = client(app);
});

afterEach(() => simulator.control('DELETE', 'faults'));

after(() => simulator?.stop());

function client(of, options = {}) {
  return new AlipaySdk({
    appId: of.app_id,
    privateKey: of.private_key,
    keyType: 'PKCS8',
    alipayPublicKey: of.alipay_public_key,
    gateway: simulator.gatewayUrl,
    endpoint: simulator.baseUrl,
    encryptKey: of.aes_key,
    ...options,
  });
}

// The SDK works out the numbers of all three certificates itself.
function certificateClient(of, options = {}) {
  return client(of, {
    alipayPublicKey: undefined,
    appCertContent: of.app_certificate,
    alipayPublicCertContent: of.alipay_certificate,
    alipayRootCertContent: of.alipay_root_certificate,
    ...options,
  });
}

async function tokens(of = app, scope = 'auth_user') {
  const code = await simulator.code(of.app_id, scope);
  return client(of).exec('alipay.system.oauth.token', { grantType: 'authorization_code', code }, VALIDATED);
}

test('exchanges a code, refreshes the grant, and a used token of either kind is refused', async () => {
  const code = await simulator.code(app.app_id, 'auth_base');
  const first = await sdk.exec('alipay.system.oauth.token', { grantType: 'authorization_code', code }, VALIDATED);
  assert.equal(first.userId, USER_ID);
  assert.equal(first.code, undefined);
  assert.equal(first.expiresIn, 1296000);
  const refresh = { grantType: 'refresh_token', refreshToken: first.refreshToken };
  const second = await sdk.exec('alipay.system.oauth.token', refresh, VALIDATED);
  assert.notEqual(second.accessToken, first.accessToken);
  assert.match(second.traceId, /^[a-z0-9]{32}$/);
  // The SDK cannot check an `error_response`: it looks for the signature of a node that is not there.
  const again = await sdk.exec('alipay.system.oauth.token', { grantType: 'authorization_code', code });
  assert.equal(again.subCode, 'isv.code-invalid');
  const stale = await sdk.exec('alipay.system.oauth.token', refresh);
  assert.equal(stale.subCode, 'isv.refresh-token-invalid');
});

test('exchanges the code that a user brings back from the page in a browser', async () => {
  const link = `${simulator.baseUrl}/oauth2/publicAppAuthorize.htm?${new URLSearchParams({
    app_id: app.app_id, scope: 'auth_user', redirect_uri: 'http://127.0.0.1:3000/callback?tenant=1', state: 'QUJD+/8=',
  })}`;
  const asked = await fetch(link);
  assert.match(await asked.text(), /<button name="decision" value="agree">同意<\/button>/);
  const agreed = await fetch(link, { method: 'POST', body: new URLSearchParams({ decision: 'agree' }), redirect: 'manual' });
  assert.equal(agreed.status, 302);
  const back = new URL(agreed.headers.get('location')).searchParams;
  assert.deepEqual([back.get('tenant'), back.get('source'), back.get('state')], ['1', 'alipay_wallet', 'QUJD+/8=']);
  const exchange = { grantType: 'authorization_code', code: back.get('auth_code') };
  const granted = await sdk.exec('alipay.system.oauth.token', exchange, VALIDATED);
  const profile = await sdk.exec('alipay.user.info.share', { auth_token: granted.accessToken }, VALIDATED);
  assert.equal(profile.userId, USER_ID);
});

test('an app of open_id gets no user_id, and seconds as text where it is set so', async () => {
  const granted = await tokens(openIdApp, 'auth_base');
  assert.equal(granted.userId, undefined);
  assert.equal(typeof granted.openId, 'string');
  assert.equal(granted.expiresIn, '1296000');
});

test('reads the profile with a token of scope auth_user and not with one of auth_base', async () => {
  const agreed = await tokens();
  const profile = await sdk.exec('alipay.user.info.share', { auth_token: agreed.accessToken }, VALIDATED);
  assert.equal(profile.code, '10000');
  assert.equal(profile.nickName, '小明');
  const silent = await tokens(app, 'auth_base');
  const refused = await sdk.exec('alipay.user.info.share', { auth_token: silent.accessToken }, VALIDATED);
  assert.deepEqual([refused.code, refused.subCode], ['20001', 'aop.invalid-auth-token']);
});

test('makes a mini code whose three addresses serve PNG images', async () => {
  const made = await sdk.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE }, VALIDATED);
  assert.equal(made.code, '10000');
  for (const url of [made.qrCodeUrl, made.qrCodeUrlCircleWhite, made.qrCodeUrlCircleBlue]) {
    const image = await fetch(url);
    assert.equal(image.headers.get('content-type'), 'image/png');
    assert.equal(Buffer.from(await image.arrayBuffer()).subarray(1, 4).toString(), 'PNG');
  }
});

test('sends a template message, which arrives as it was meant', async () => {
  const bizContent = {
    to_user_id: USER_ID,
    user_template_id: 'template-1',
    page: 'pages/order?id=1',
    data: JSON.stringify({ keyword1: { value: '已发货' } }),
  };
  const sent = await sdk.exec('alipay.open.app.mini.templatemessage.send', { bizContent }, VALIDATED);
  assert.equal(sent.code, '10000');
  const messages = await simulator.control('GET', 'messages');
  assert.deepEqual(messages.at(-1).keywords, { keyword1: '已发货' });
  const wrong = { ...bizContent, to_user_id: '2088999999999999' };
  const refused = await sdk.exec('alipay.open.app.mini.templatemessage.send', { bizContent: wrong }, VALIDATED);
  assert.equal(refused.subCode, 'USER_ID_INVALID');
});

test('queries a trade, known and unknown', async () => {
  await simulator.control('POST', 'trades', { app_id: app.app_id, out_trade_no: 'node-1', total_amount: '8.88' });
  const known = await sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: 'node-1' } }, VALIDATED);
  assert.deepEqual([known.code, known.totalAmount], ['10000', '8.88']);
  const unknown = await sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: 'none' } }, VALIDATED);
  assert.deepEqual([unknown.code, unknown.subCode], ['40004', 'ACQ.TRADE_NOT_EXIST']);
});

test('signs with SHA-1 where the app is set so', async () => {
  const old = client(app, { signType: 'RSA' });
  const made = await old.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE }, VALIDATED);
  assert.equal(made.code, '10000');
});

test('another key than the registered one is refused, in a reply that verifies', async () => {
  const impostor = client({ ...app, private_key: openIdApp.private_key });
  const refused = await impostor.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE }, VALIDATED);
  assert.equal(refused.subCode, 'isv.invalid-signature');
  assert.match(refused.subMsg, /app_id=2021\d{12}&amp;biz_content=/);
});

test('a timestamp of another zone is refused', async () => {
  const zone = process.env.TZ;
  process.env.TZ = 'UTC';
  try {
    const refused = await sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: 'none' } }, VALIDATED);
    assert.equal(refused.subCode, 'isv.invalid-timestamp');
  } finally {
    process.env.TZ = zone;
  }
});

for (const kind of ['bad_signature', 'foreign_key', 'sha1_signature', 'no_signature']) {
  test(`the SDK refuses a forged reply: ${kind}`, async () => {
    await simulator.control('POST', 'faults', { kind });
    await assert.rejects(sdk.exec('alipay.trade.query', { bizContent: { out_trade_no: 'none' } }, VALIDATED));
  });
}

test('certificate mode: the SDK names the certificates and checks the reply with the one it was given', async () => {
  const certified = certificateClient(certificateApp);
  assert.equal(certified.config.appCertSn, certificateApp.app_cert_sn);
  assert.equal(certified.config.alipayCertSn, certificateApp.alipay_cert_sn);
  assert.equal(certified.config.alipayRootCertSn, certificateApp.alipay_root_cert_sn);
  const made = await certified.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE }, VALIDATED);
  assert.equal(made.code, '10000');
  const unnamed = await client(certificateApp)
    .exec('alipay.open.app.qrcode.create', { bizContent: QRCODE }, VALIDATED);
  assert.equal(unnamed.subCode, 'isv.missing-app-cert-sn');
});

test('encrypted calls: the SDK reads what the simulator encrypts, and the other way round', async () => {
  for (const encrypting of [sdk, certificateClient(certificateApp)]) {
    // The SDK cannot check the signature of a node that is a text.
    const made = await encrypting.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE, needEncrypt: true });
    assert.equal(made.code, '10000');
    const refused = await encrypting.exec('alipay.trade.query', { bizContent: { out_trade_no: 'none' }, needEncrypt: true });
    assert.equal(refused.subCode, 'ACQ.TRADE_NOT_EXIST');
  }
  const wrongKey = client(app, { encryptKey: openIdApp.aes_key });
  const refused = await wrongKey.exec('alipay.open.app.qrcode.create', { bizContent: QRCODE, needEncrypt: true });
  assert.deepEqual([refused.code, refused.subCode], ['40003', 'isv.decryption-error-unknown']);
});

test('V3: exchanges a code, reads the profile, makes a mini code; every reply is checked', async () => {
  for (const [of, caller] of [[app, sdk], [certificateApp, certificateClient(certificateApp)]]) {
    const code = await simulator.code(of.app_id, 'auth_user');
    const granted = await caller.curl('POST', '/v3/alipay/system/oauth/token', {
      body: { grant_type: 'authorization_code', code },
    });
    assert.equal(granted.responseHttpStatus, 200);
    const profile = await caller.curl('POST', '/v3/alipay/user/info/share', {
      query: { auth_token: granted.data.access_token },
    });
    assert.equal(profile.data.nick_name, '小明');
    const made = await caller.curl('POST', '/v3/alipay/open/app/qrcode/create', { body: QRCODE });
    assert.match(made.data.qr_code_url, /^http.*[.]png$/);
    assert.match(made.traceId, /^[a-z0-9]{32}$/);
    const encrypted = await caller.curl('POST', '/v3/alipay/open/app/qrcode/create', { body: QRCODE, needEncrypt: true });
    assert.match(encrypted.data.qr_code_url, /^http.*[.]png$/);
  }
});

test('V3: a form with a file is signed over its data', async () => {
  const form = new AlipayFormData();
  for (const [name, value] of Object.entries(QRCODE)) form.addField(name, value);
  form.addFile('file_content', 'a.txt', Buffer.from('--text--\r\n'));
  const made = await sdk.curl('POST', '/v3/alipay/open/app/qrcode/create', { form });
  assert.match(made.data.qr_code_url, /^http.*[.]png$/);
});

test('V3: a refusal carries a code, a status and links', async () => {
  const query = { body: { out_trade_no: 'none' } };
  await assert.rejects(sdk.curl('POST', '/v3/alipay/trade/query', query), error => {
    assert.deepEqual([error.code, error.responseHttpStatus], ['ACQ.TRADE_NOT_EXIST', 400]);
    assert.equal(error.links.length, 1);
    return true;
  });
  const impostor = client({ ...app, private_key: openIdApp.private_key });
  await assert.rejects(impostor.curl('POST', '/v3/alipay/trade/query', query), { code: 'invalid-signature' });
  const tokened = { ...query, appAuthToken: '201501BBnobodys' };
  await assert.rejects(sdk.curl('POST', '/v3/alipay/trade/query', tokened), { code: 'invalid-app-auth-token' });
});

for (const kind of ['bad_signature', 'foreign_key', 'sha1_signature', 'no_signature']) {
  test(`V3: the SDK refuses a forged reply: ${kind}`, async () => {
    await simulator.control('POST', 'faults', { kind });
    await assert.rejects(sdk.curl('POST', '/v3/alipay/open/app/qrcode/create', { body: QRCODE }));
  });
}

test('V3: the SDK refuses a reply of a certificate that it does not have', async () => {
  const certified = certificateClient(certificateApp);
  await simulator.control('POST', 'alipay-certificates', { change: 'renewed' });
  await assert.rejects(
    certified.curl('POST', '/v3/alipay/open/app/qrcode/create', { body: QRCODE }),
    { code: 'response-alipay-sn-verify-error' },
  );
});

test('the simulator found nothing wrong but what was meant to be wrong', async () => {
  const { calls } = await simulator.control('GET', 'received');
  const refused = new Set(calls.map(call => call.verdict.sub_code).filter(Boolean));
  assert.deepEqual(
    [...refused].sort(),
    ['ACQ.TRADE_NOT_EXIST', 'USER_ID_INVALID', 'aop.invalid-app-auth-token', 'aop.invalid-auth-token', 'isv.code-invalid',
      'isv.decryption-error-unknown', 'isv.invalid-signature', 'isv.invalid-timestamp', 'isv.missing-app-cert-sn',
      'isv.refresh-token-invalid'],
  );
});
