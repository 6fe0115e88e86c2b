/** JSON of any size, parsed without a large text. */
const [OPENING_BRACKET, CLOSING_BRACKET, OPENING_BRACE] = Buffer.from('[]{');
const END_OF_OBJECT = Buffer.from('},');

/**
 * About how many bytes are parsed at one time. V8 keeps a text of this size among its young objects; a larger one gets
 * pages of its own from the system, and to get them takes longer than to parse it.
 */
const PIECE_BYTES = 32_768;

/**
 * The same as JSON.parse of the bytes as UTF-8. A long array of objects is parsed piece by piece.
 *
 * It is cut where one object seems to end and the next to begin. Each piece must be a list of whole values by itself: where
 * all that came before a cut is, the cut can be neither in a text nor in a value. So a cut in a wrong place is seen,
 * and then the whole is parsed at once.
 *
 * @throws SyntaxError
 */
export function parseJsonBytes(bytes: Buffer, pieceBytes = PIECE_BYTES): unknown {
  if (bytes.length > pieceBytes && bytes[0] === OPENING_BRACKET) {
    const end = endOfText(bytes);
    const values = bytes[end - 1] === CLOSING_BRACKET ? parsePieces(bytes, 1, end - 1, pieceBytes) : undefined;
    if (values) return values;
  }
  return JSON.parse(bytes.toString());
}

/** The values between `start` and `end`, where the closing bracket is; undefined where a piece is no list of values. */
function parsePieces(bytes: Buffer, start: number, end: number, pieceBytes: number): unknown[] | undefined {
  const values: unknown[] = [];
  try {
    for (let from = start; ; ) {
      const cut = nextCut(bytes, from + pieceBytes, end);
      const piece: unknown[] = JSON.parse(`[${bytes.toString('utf8', from, cut)}]`);
      for (const value of piece) values.push(value);
      if (cut === end) return values;
      from = cut + 1;
    }
  } catch {
    // The whole tells what is wrong with it, or that nothing is.
  }
  return undefined;
}

/** Where a comma stands between two objects, by the look of it; `end` where there is none. */
function nextCut(bytes: Buffer, from: number, end: number): number {
  for (let at = bytes.indexOf(END_OF_OBJECT, from); at !== -1; at = bytes.indexOf(END_OF_OBJECT, at + 1)) {
    let next = at + 2;
    while (isSpace(bytes[next])) next++;
    if (bytes[next] === OPENING_BRACE) return at + 1;
  }
  return end;
}

function endOfText(bytes: Buffer): number {
  let end = bytes.length;
  while (isSpace(bytes[end - 1])) end--;
  return end;
}

/** RFC 8259, 2: space, tab, line feed, carriage return. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
