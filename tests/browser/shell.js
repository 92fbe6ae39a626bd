// A terminal into which command lines are pasted.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Stands behind what a line has printed. */
const END = '\u001e';

/** Starts a shell. What one line keeps in variables is there for the next. */
export function startShell() {
  const child = spawn('bash', [], { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  let wake = () => {};
  child.stdout.setEncoding('utf8').on('data', text => {
    printed += text;
    wake();
  });
  const ended = once(child, 'exit');
  return {
    /** What the line prints. */
    async paste(line) {
      const done = new Promise(resolve => (wake = () => printed.includes(END) && resolve()));
      child.stdin.write(`${line}\nprintf '\\036'\n`);
      await Promise.race([done, ended.then(([code]) => Promise.reject(new Error(`the shell ended with ${code} at: ${line}`)))]);
      const text = printed.slice(0, printed.indexOf(END));
      printed = '';
      return text;
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
