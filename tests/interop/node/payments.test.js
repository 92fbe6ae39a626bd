'use strict';

// The official Node SDK, unmodified, pays: its order strings open the cashier, its calls move the trade, and it judges the
// simulator's notices.

// The SDK writes the timestamp in the zone of the host.
process.env.TZ = 'Asia/Shanghai';

const assert = require('node:assert/strict');
const { after, afterEach, before, beforeEach, test } = require('node:test');
const { AlipaySdk } = require('alipay-sdk');
const { startMerchant } = require('./merchant');
const { startSimulator } = require('./simulator');

const USER_ID = '2088000000000001';
const SUBJECT = '一件商品 "引号" & <b> 100% + 😀';
const VALIDATED = { validateSign: true };

let simulator;
let merchant;
let app;
let certificateApp;
let sdk;
let certified;

before(async () => {
  simulator = await startSimulator([{ identifiers: 'both' }, { certificates: true }]);
  [app, certificateApp] = simulator.apps;
  sdk = client(app, { alipayPublicKey: app.alipay_public_key });
  certified = client(certificateApp, {
    appCertContent: certificateApp.app_certificate,
    alipayPublicCertContent: certificateApp.alipay_certificate,
    alipayRootCertContent: certificateApp.alipay_root_certificate,
  });
});

beforeEach(async () => {
  merchant = await startMerchant();
});

afterEach(() => merchant.stop());

after(() => simulator?.stop());

function client(of, options) {
  return new AlipaySdk({
    appId: of.app_id,
    privateKey: of.private_key,
    keyType: 'PKCS8',
    gateway: simulator.gatewayUrl,
    endpoint: simulator.baseUrl,
    encryptKey: of.aes_key,
    ...options,
  });
}

function orderString(by, outTradeNo, options = {}) {
  return by.sdkExecute('alipay.trade.app.pay', {
    notifyUrl: merchant.url,
    bizContent: {
      out_trade_no: outTradeNo, total_amount: '12.50', subject: SUBJECT, product_code: 'QUICK_MSECURITY_PAY',
    },
    ...options,
  });
}

function call(method, bizContent, options = {}) {
  return sdk.exec(method, { bizContent, notifyUrl: merchant.url, ...options }, VALIDATED);
}

async function element(response, id) {
  const [, text] = (await response.text()).match(new RegExp(`id="${id}"[^>]*>([^<]*)<`));
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

test('an order string of the SDK opens the cashier, and the SDK takes notice and result of the payment', async () => {
  for (const [of, by] of [[app, sdk], [certificateApp, certified]]) {
    const cashier = `${simulator.baseUrl}/cashier.htm?${orderString(by, 'node-app')}`;
    assert.equal(await element(await fetch(cashier), 'subject'), SUBJECT);
    const paid = await fetch(cashier, { method: 'POST', body: new URLSearchParams({ decision: 'pay' }) });
    const { resultStatus, result } = JSON.parse(await element(paid, 'result'));
    assert.equal(resultStatus, '9000');
    const { sign } = JSON.parse(result);
    by.checkResponseSign(result, 'alipay_trade_app_pay_response', sign);
    const forged = result.replace('12.50', '12.51');
    assert.throws(() => by.checkResponseSign(forged, 'alipay_trade_app_pay_response', sign), /验签失败/);

    const notice = await merchant.next();
    assert.deepEqual([notice.app_id, notice.trade_status, notice.subject, notice.body],
      [of.app_id, 'TRADE_SUCCESS', SUBJECT, '']);
    assert.ok(by.checkNotifySignV2(notice));
    assert.ok(!by.checkNotifySignV2({ ...notice, total_amount: '12.51' }));
    const { body, ...shorter } = notice;
    assert.ok(!by.checkNotifySignV2(shorter), 'an empty value is signed');
  }
});

test('the older check of the SDK, which decodes once more, takes a notice without %', async () => {
  const bizContent = { out_trade_no: 'node-plain', total_amount: '1.00', subject: 'plain' };
  await simulator.control('POST', 'payments', { order: orderString(sdk, bizContent.out_trade_no, { bizContent }) });
  assert.ok(sdk.checkNotifySign(await merchant.next()));
});

test('a changed order string is refused, and so is one of another key', async () => {
  const changed = orderString(sdk, 'node-forged').replace('12.50', '12.51');
  const foreign = orderString(client({ ...app, private_key: certificateApp.private_key }, {}), 'node-forged');
  for (const order of [changed, foreign]) {
    const refused = await fetch(`${simulator.baseUrl}/cashier.htm?${order}`);
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /data-code="isv.invalid-signature"/);
  }
});

test('creates, is paid, refunds in part and in full; each step is told in a notice that the SDK takes', async () => {
  const order = {
    out_trade_no: 'node-jsapi', total_amount: '12.50', subject: SUBJECT, product_code: 'JSAPI_PAY',
    op_app_id: app.app_id, buyer_id: USER_ID,
  };
  const { tradeNo } = await call('alipay.trade.create', order);
  assert.match(tradeNo, /^\d{28}$/);
  const waiting = await call('alipay.trade.query', { out_trade_no: 'node-jsapi' });
  assert.equal(waiting.tradeStatus, 'WAIT_BUYER_PAY');
  const paid = await simulator.control('POST', 'payments', { order: tradeNo });
  assert.equal(paid.client_result, '{"resultCode":"9000"}');
  const partial = { out_trade_no: 'node-jsapi', refund_amount: '2.50', out_request_no: 'R1', refund_reason: '少发一件' };
  assert.equal((await call('alipay.trade.refund', partial)).fundChange, 'Y');
  assert.equal((await call('alipay.trade.refund', partial)).fundChange, 'N');
  const found = await call('alipay.trade.fastpay.refund.query', { out_trade_no: 'node-jsapi', out_request_no: 'R1' });
  assert.deepEqual([found.refundStatus, found.refundAmount], ['REFUND_SUCCESS', '2.50']);
  await call('alipay.trade.refund', { trade_no: tradeNo, refund_amount: '10.00', out_request_no: 'R2' });
  const closed = await call('alipay.trade.query', { trade_no: tradeNo });
  assert.equal(closed.tradeStatus, 'TRADE_CLOSED');

  const told = [];
  for (let count = 0; count < 3; count += 1) told.push(await merchant.next());
  // They are sent side by side.
  told.sort((one, other) => Number(one.refund_fee ?? 0) - Number(other.refund_fee ?? 0));
  assert.ok(told.every(notice => sdk.checkNotifySignV2(notice)));
  assert.deepEqual(told.map(notice => [notice.trade_status, notice.refund_fee, notice.out_biz_no]), [
    ['TRADE_SUCCESS', undefined, undefined], ['TRADE_SUCCESS', '2.50', 'R1'], ['TRADE_CLOSED', '12.50', 'R2'],
  ]);
});

test('an encrypted order makes a trade, and it is closed', async () => {
  const order = {
    out_trade_no: 'node-closed', total_amount: '0.01', subject: SUBJECT, product_code: 'JSAPI_PAY',
    op_app_id: app.app_id, buyer_id: USER_ID,
  };
  // The SDK cannot check the signature of a node that is a text.
  const made = await sdk.exec('alipay.trade.create', { bizContent: order, notifyUrl: merchant.url, needEncrypt: true });
  assert.equal(made.code, '10000');
  const closed = await call('alipay.trade.close', { out_trade_no: 'node-closed' });
  assert.equal(closed.tradeNo, made.tradeNo);
  const notice = await merchant.next();
  assert.equal(notice.trade_status, 'TRADE_CLOSED');
  assert.ok(sdk.checkNotifySignV2(notice));
  const again = await call('alipay.trade.close', { out_trade_no: 'node-closed' });
  assert.equal(again.subCode, 'ACQ.TRADE_STATUS_ERROR');
});

test('V3: creates a trade whose notices the SDK takes', async () => {
  const { data } = await sdk.curl('POST', '/v3/alipay/trade/create', {
    body: {
      out_trade_no: 'node-v3', total_amount: '1.00', subject: SUBJECT, product_code: 'JSAPI_PAY', op_app_id: app.app_id,
      buyer_id: USER_ID, notify_url: merchant.url,
    },
  });
  await simulator.control('POST', 'payments', { order: data.trade_no });
  const notice = await merchant.next();
  assert.equal(notice.out_trade_no, 'node-v3');
  assert.ok(sdk.checkNotifySignV2(notice));
});

test('messages to the app gateway are taken with their sign_type, and forged ones are not', async () => {
  const message = options => simulator.control('POST', 'messages-to-app', {
    url: merchant.url, app_id: app.app_id, options,
    fields: { notify_type: 'open_app_auth_notify', biz_content: '{"detail":{"auth_app_id":"2021"}}' },
  });
  await message();
  const genuine = await merchant.next();
  assert.equal(genuine.notify_type, 'open_app_auth_notify');
  assert.ok(sdk.checkNotifySignV2(genuine));
  const { sign_type: signType, sign, ...rest } = genuine;
  const content = Object.keys(genuine).filter(name => name !== 'sign').sort().map(name => `${name}=${genuine[name]}`);
  assert.ok(sdk.rsaCheck(content.join('&'), sign, signType), 'sign_type is in the signed text');
  for (const forgery of ['bad_signature', 'no_signature', 'foreign_key', 'sha1_signature', { changed_fields: { app_id: '1' } }]) {
    await message({ forgery });
    assert.ok(!sdk.checkNotifySignV2(await merchant.next()), JSON.stringify(forgery));
  }
  assert.ok(rest.notify_id);
});
