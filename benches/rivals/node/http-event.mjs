// What both handlers know of API Gateway's events (payload format 2.0).

/** Makes a Lambda handler of a function that takes the parsed body and returns the answer's fields. */
export function overHttp(answerTo) {
  return async event => {
    let input;
    try {
      const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
      input = JSON.parse(text || '{}');
    } catch {
      return answer(400, { code: 400, msg: 'body: not JSON' });
    }
    try {
      return await answerTo(input);
    } catch (error) {
      console.error(`${error.name}: ${error.message}`);
      return answer(502, { code: 502, msg: 'the call to Alipay failed' });
    }
  };
}

export function answer(statusCode, fields) {
  return {
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(fields),
  };
}
