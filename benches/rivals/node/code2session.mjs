import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { appId, call } from './alipay.mjs';
import { answer, overHttp } from './http-event.mjs';

// Region, credentials and endpoint come from the variables that Lambda sets.
const table = new DynamoDBClient({});

export const handler = overHttp(async ({ code, js_code }) => {
  const oneTimeCode = code || js_code;
  if (!oneTimeCode) {
    return answer(400, { code: 400, msg: 'code: is required' });
  }
  const granted = await call('alipay.system.oauth.token', {
    grant_type: 'authorization_code',
    code: oneTimeCode,
  });
  const openid = granted.userId ?? granted.openId;
  const expiresAt = Math.floor(Date.now() / 1000) + Number(granted.expiresIn);
  await table.send(
    new PutItemCommand({
      TableName: process.env.TOKEN_TABLE,
      Item: {
        pk: { S: `user#${appId}#${openid}` },
        sk: { S: 'token' },
        access_token: { S: granted.accessToken },
        refresh_token: { S: granted.refreshToken },
        expires_at: { N: String(expiresAt) },
      },
    }),
  );
  return answer(200, {
    code: 0,
    msg: 'ok',
    appid: appId,
    platform: 'mp-alipay',
    openid,
    userId: granted.userId,
    openId: granted.openId,
    expiresIn: Number(granted.expiresIn),
    reExpiresIn: Number(granted.reExpiresIn),
  });
});
