'use strict';

// Order strings of alipay.trade.app.pay as the official Node SDK makes them: node make-node-pay.js KEYS > node-pay.json

const { AlipaySdk, read, signedText, write } = require('./watched-sdk.js');

const keys = process.argv[2];
const AES_KEY = Buffer.from('sixteen letters!').toString('base64');
const TOKEN = '202601BB4b203fe6c11548bcabd8da5bb087a83b';
const NOTIFY_URL = 'https://shop.example/notify/2021000000000001';

function order(subject, more = {}) {
  return { out_trade_no: '20260102_1', total_amount: '12.50', subject, product_code: 'QUICK_MSECURITY_PAY',
    time_expire: '2026-01-02 03:19:05', ...more };
}

const SUBJECTS = {
  ascii: 'A cup of coffee',
  chinese: '一杯咖啡，加牛奶（大杯）',
  emoji: '咖啡 ☕ 和苹果 🍎',
  quotes: 'the "big" cup \\ saucer / spoon',
  form: 'a=b&c=d+e%20f%2Bg #?;:@,$ <m>~-._',
};

const USUAL = [
  ...Object.entries(SUBJECTS).map(([id, subject]) => [id, order(subject), {}]),
  ['without-notify-url', order('一杯咖啡'), { notify_url: undefined }],
  ['notify-url-with-query', order('一杯咖啡'), { notify_url: 'https://shop.example/notify?a=1&b=%E4%BD%A0' }],
  ['passback-params', order('一杯咖啡', { passback_params: encodeURIComponent('a=1&b=你好') }), {}],
  ['app-auth-token', order('一杯咖啡'), { app_auth_token: TOKEN }],
  ['encrypted', order('一杯咖啡 ☕'), { needEncrypt: true }],
];
const FEW = USUAL.filter(([id]) => ['chinese', 'encrypted'].includes(id));

const MODES = [
  ['app-2048', 'RSA2', {}, USUAL],
  ['app-2048', 'RSA', {}, FEW],
  ['app-3072', 'RSA2', {}, FEW],
  ['app-2048', 'RSA2', {
    appCertContent: read(keys, 'app-2048.crt'),
    alipayPublicCertContent: read(keys, 'alipay-2048.crt'),
    alipayRootCertContent: read(keys, 'roots.crt'),
  }, FEW],
];

const cases = MODES.flatMap(([key, sign_type, certificates, orders]) => {
  const mode = certificates.appCertContent ? 'certificate' : 'key';
  const sdk = new AlipaySdk({
    appId: '2021000000000001', keyType: 'PKCS8', signType: sign_type, charset: 'utf-8', encryptKey: AES_KEY,
    privateKey: read(keys, `${key}.pkcs8.pem`), ...certificates,
  });
  return orders.map(([id, bizContent, more]) => {
    const { needEncrypt, ...fields } = { notify_url: NOTIFY_URL, ...more };
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const order_string = sdk.sdkExecute(
      'alipay.trade.app.pay', { ...given, format: 'JSON', bizContent, needEncrypt }, { bizContentAutoSnakeCase: false });
    const pairs = order_string.split('&').map(pair => pair.split('=').map(decodeURIComponent)).sort(([a], [b]) => (a < b ? -1 : 1));
    const { sign, ...params } = Object.fromEntries(pairs);
    return {
      id: `node-pay-${mode}-${key}-${sign_type}-${id}`, key, sign_type, mode,
      ...(needEncrypt && { aes_key: AES_KEY }),
      biz_content: JSON.stringify(bizContent), fields: given, params, signed_text: signedText(), signature: sign, order_string,
    };
  });
});

write(cases);
