import { call } from './alipay.mjs';
import { answer, overHttp } from './http-event.mjs';

export const handler = overHttp(async ({ page, scene, describe }) => {
  const made = await call('alipay.open.app.qrcode.create', {
    bizContent: {
      url_param: page ?? 'pages/index/index',
      query_param: scene ?? 'miniCode=1',
      describe: describe ?? '推广',
    },
  });
  return answer(200, {
    code: 0,
    msg: '生成成功',
    qr_code_url: made.qrCodeUrl,
    qr_code_url_circle_white: made.qrCodeUrlCircleWhite,
    qr_code_url_circle_blue: made.qrCodeUrlCircleBlue,
  });
});
