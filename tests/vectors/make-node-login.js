'use strict';

// Login strings of native apps: node make-node-login.js KEYS > node-login.json
//
// The SDK has no function that makes one. So they are written here as Alipay's document has them, signed with Node's crypto, and
// have to pass the SDK's own check of a signature over sorted parameters with `sign_type` among them.

const crypto = require('node:crypto');
const { AlipaySdk, read, write } = require('./watched-sdk.js');

const keys = process.argv[2];

const HASHES = { RSA2: 'RSA-SHA256', RSA: 'RSA-SHA1' };

function loginString({ app_id, pid, target_id, sign_type, privateKey }) {
  const signed = 'apiname=com.alipay.account.auth'
    + `&app_id=${app_id}`
    + '&app_name=mc'
    + '&auth_type=AUTHACCOUNT'
    + '&biz_type=openservice'
    + '&method=alipay.open.auth.sdk.code.get'
    + `&pid=${pid}`
    + '&product_id=APP_FAST_LOGIN'
    + '&scope=kuaijie'
    + `&sign_type=${sign_type}`
    + `&target_id=${target_id}`;
  const signature = crypto.createSign(HASHES[sign_type]).update(signed, 'utf8').sign(privateKey, 'base64');
  return `${signed}&sign=${encodeURIComponent(signature)}`;
}

/** Whether the SDK takes the text, read as a server reads a form, for signed by the holder of this key. */
function isTakenBySdk(text, app_id, signType, privateKey, publicKey) {
  const sdk = new AlipaySdk({ appId: app_id, privateKey, keyType: 'PKCS8', signType, alipayPublicKey: publicKey });
  return sdk.checkNotifySignV2(Object.fromEntries(new URLSearchParams(text)));
}

const cases = [['app-2048', 'RSA2'], ['app-2048', 'RSA'], ['app-3072', 'RSA2']].map(([key, sign_type]) => {
  const privateKey = read(keys, `${key}.pkcs8.pem`);
  const publicKey = read(keys, `${key}.public.pem`);
  const given = { app_id: '2021000000000001', pid: '2088000000000019', target_id: '0123456789abcdef0123456789abcdef' };
  const login_string = loginString({ ...given, sign_type, privateKey });
  const forged = login_string.replace('&pid=2088000000000019', '&pid=2088000000000018');
  if (!isTakenBySdk(login_string, given.app_id, sign_type, privateKey, publicKey)) throw new Error(`${key}: not taken`);
  if (isTakenBySdk(forged, given.app_id, sign_type, privateKey, publicKey)) throw new Error(`${key}: a forged one is taken`);
  return { id: `node-login-${key}-${sign_type}`, key, sign_type, ...given, login_string };
});

write(cases);
