'use strict';

// Certificate mode, content encryption and protocol V3 as the official Node SDK has them:
// node make-node-modes.js KEYS > node-modes.json

const { AlipaySdk, read, receiver, signedText, write } = require('./watched-sdk.js');

const keys = process.argv[2];
const KEY = 'app-2048';
const AES_KEY = Buffer.from('sixteen letters!').toString('base64');
const TOKEN = '202601BB4b203fe6c11548bcabd8da5bb087a83b';
const CONTENT = { url_param: 'pages/index/index', query_param: 'scene=1&name=你好', describe: 'a b+c%20"\\/ 小程序 🍎' };

const MODES = {
  key: {
    // Whose key that is plays no part in a request; V3 refuses to go without one.
    alipayPublicKey: read(keys, 'app-3072.public.pem'),
  },
  certificate: {
    appCertContent: read(keys, 'app-2048.crt'),
    alipayPublicCertContent: read(keys, 'alipay-2048.crt'),
    alipayRootCertContent: read(keys, 'roots.crt'),
  },
};

const V3_CALLS = [
  ['get', 'GET', '/v3/alipay/open/auth/token/app/query', { query: { app_auth_token: TOKEN, memo: 'a b+你好&=' } }],
  ['post', 'POST', '/v3/alipay/open/app/qrcode/create', { body: CONTENT }],
  ['app-auth-token', 'POST', '/v3/alipay/trade/query', { body: { out_trade_no: '20260102-1' }, appAuthToken: TOKEN }],
  ['encrypted', 'POST', '/v3/alipay/open/app/qrcode/create', { body: CONTENT, needEncrypt: true }],
  ['encrypted-app-auth-token', 'POST', '/v3/alipay/trade/query', { body: { out_trade_no: '20260102-1' }, appAuthToken: TOKEN, needEncrypt: true }],
];

async function main() {
  const gateway = await receiver();
  const cases = [];
  for (const [mode, settings] of Object.entries(MODES)) {
    const sdk = new AlipaySdk({
      appId: '2021000000000001', keyType: 'PKCS8', privateKey: read(keys, `${KEY}.pkcs8.pem`), encryptKey: AES_KEY,
      gateway: `${gateway.address}/gateway.do`, endpoint: gateway.address, ...settings,
    });
    const about = { mode, key: KEY };
    const { appCertSn: app_cert_sn, alipayCertSn: alipay_cert_sn, alipayRootCertSn: alipay_root_cert_sn } = sdk.config;

    for (const needEncrypt of [false, true]) {
      if (mode === 'key' && !needEncrypt) continue; // In node-sdk.json.
      await sdk.exec('alipay.open.app.qrcode.create', { bizContent: CONTENT, needEncrypt });
      const { target, body } = gateway.received();
      const query = target.split('?')[1];
      const pairs = [...new URLSearchParams(query), ...new URLSearchParams(body)].sort(([a], [b]) => (a < b ? -1 : 1));
      const { sign, ...params } = Object.fromEntries(pairs);
      cases.push({
        id: `node-v2-${mode}${needEncrypt ? '-encrypted' : ''}`, kind: 'v2', ...about, app_cert_sn, alipay_cert_sn, alipay_root_cert_sn,
        ...(needEncrypt && { aes_key: AES_KEY, plaintext: JSON.stringify(CONTENT) }),
        params, signed_text: signedText(), signature: sign, query, body,
      });
    }

    for (const [id, http_method, path, options] of V3_CALLS) {
      // The answer is unsigned, which the SDK refuses; the request was made all the same.
      await sdk.curl(http_method, path, options).catch(() => {});
      const { target, headers, body } = gateway.received();
      cases.push({
        id: `node-v3-${mode}-${id}`, kind: 'v3', ...about, app_cert_sn, alipay_cert_sn, alipay_root_cert_sn,
        ...(options.needEncrypt && { aes_key: AES_KEY, plaintext: JSON.stringify(options.body) }),
        http_method, target, body, app_auth_token: options.appAuthToken,
        authorization: headers.authorization, root_cert_sn_header: headers['alipay-root-cert-sn'],
        content_type: headers['content-type'], signed_text: signedText(), signature: headers.authorization.split(',sign=')[1],
      });
    }
  }
  gateway.close();
  write(cases);
}

main();
