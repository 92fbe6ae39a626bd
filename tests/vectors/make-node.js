'use strict';

// Requests and order strings as the official Node SDK makes them: node make-node.js KEYS > node-sdk.json
//
const { AlipaySdk, read, receiver, signedText, write } = require('./watched-sdk.js');

const keys = process.argv[2];

const AWKWARD = `a b+c%20&d=e"f'g/h\\i~j*k(l)!<m>#?;:@,$ 你好，小程序 🍎`;

const REQUESTS = [
  ['oauth-code', 'alipay.system.oauth.token', { grantType: 'authorization_code', code: '4b203fe6c11548bcabd8da5bb087a83b' }],
  ['oauth-refresh', 'alipay.system.oauth.token', { grantType: 'refresh_token', refreshToken: '201208134b203fe6c11548bcabd8da5bb087a83b' }],
  ['user-info', 'alipay.user.info.share', { auth_token: 'authusrB17a2f0d56f6d4f9e8bb2d2f7a6c5cX30' }],
  ['mini-code', 'alipay.open.app.qrcode.create',
    { bizContent: { url_param: 'pages/index/index', query_param: 'scene=1&name=你好', describe: AWKWARD } }],
  ['template-message', 'alipay.open.app.mini.templatemessage.send',
    { bizContent: { to_user_id: '2088000000000001', user_template_id: 'MDI4', page: 'pages/order?id=1',
      data: JSON.stringify({ keyword1: { value: '你好 "引号" \\ /' }, keyword2: { value: AWKWARD.slice(0, 30) } }) } }],
  ['trade-query', 'alipay.trade.query', { bizContent: { out_trade_no: '20260102-1' } }],
  ['app-auth-token', 'alipay.trade.query',
    { app_auth_token: '202601BB4b203fe6c11548bcabd8da5bb087a83b', bizContent: { out_trade_no: '20260102-1' } }],
];

const ORDERS = [
  ['app-pay', 'alipay.trade.app.pay',
    { notify_url: 'https://shop.example/notify?a=1&b=2',
      bizContent: { out_trade_no: '20260102-1', total_amount: '0.01', subject: AWKWARD, product_code: 'QUICK_MSECURITY_PAY',
        passback_params: 'a%3D1%26b%3D2' } }],
];

function parsed(text) {
  return [...new URLSearchParams(text)];
}

function entry(id, kind, key, config, pairs, sent) {
  const params = Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
  const { sign, ...unsigned } = params;
  return { id, kind, key, sign_type: config.signType, charset: config.charset, params: unsigned, signed_text: signedText(),
    signature: sign, ...sent };
}

async function main() {
  const gateway = await receiver();
  const cases = [];
  for (const [key, signType] of [['app-2048', 'RSA2'], ['app-2048', 'RSA'], ['app-3072', 'RSA2']]) {
    const config = {
      appId: '2021000000000001', keyType: 'PKCS8', signType, charset: 'utf-8',
      privateKey: read(keys, `${key}.pkcs8.pem`),
      gateway: `${gateway.address}/gateway.do`,
    };
    const sdk = new AlipaySdk({ ...config });
    const named = id => `node-${id}-${key}-${signType}`;
    for (const [id, method, params] of REQUESTS) {
      await sdk.exec(method, params);
      const { target, body } = gateway.received();
      const query = target.split('?')[1];
      cases.push(entry(named(id), 'request', key, config, [...parsed(query), ...parsed(body)], { query, body }));
    }
    for (const [id, method, params] of ORDERS) {
      const order_string = sdk.sdkExecute(method, params, { bizContentAutoSnakeCase: false });
      cases.push(entry(named(id), 'order_string', key, config, parsed(order_string), { order_string }));
    }
  }
  gateway.close();
  write(cases);
}

main();
