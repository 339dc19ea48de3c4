/** Why: several messages to a nats-server go out in one write; whoever cuts the link between two of them must know where each begins. */

const LINE_BREAK = Buffer.from('\r\n');

/** Offsets and subjects of the messages in bytes that begin with a protocol line; empty for bytes of another protocol. */
export function messagesIn(data: Uint8Array): readonly { readonly offset: number; readonly name: string }[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const messages: { offset: number; name: string }[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const end = bytes.indexOf(LINE_BREAK, offset);
    if (end < 0) return messages;
    const words = bytes.subarray(offset, end).toString('latin1').split(' ');
    let next = end + LINE_BREAK.length;
    if (words[0] === 'PUB' || words[0] === 'HPUB') {
      messages.push({ offset, name: words[1] ?? '' });
      next += Number(words.at(-1)) + LINE_BREAK.length;
    }
    offset = next;
  }
  return messages;
}
