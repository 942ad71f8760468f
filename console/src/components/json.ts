/** Where a text stops being JSON. */
export interface JsonProblem {
  /** From 0, in the text. */
  position: number;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
}

class Stop extends Error {}

/** Reads JSON only to find where it ends to be JSON: what engines report about that differs, and some say nothing. */
class Scanner {
  at = 0;

  constructor(readonly text: string) {}

  document(): void {
    this.value();
    this.space();
    if (this.at < this.text.length) throw new Stop();
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at += found[0].length;
    return found !== null;
  }

  private need(pattern: RegExp): void {
    if (!this.take(pattern)) throw new Stop();
  }

  private space(): void {
    this.take(/[ \t\r\n]*/y);
  }

  private value(): void {
    this.space();
    if (this.take(/\{/y)) this.members(/\}/y, () => this.member());
    else if (this.take(/\[/y)) this.members(/\]/y, () => this.value());
    else if (this.text[this.at] === '"') this.string();
    else this.need(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  }

  private members(end: RegExp, one: () => void): void {
    this.space();
    if (this.take(end)) return;
    do {
      one();
      this.space();
    } while (this.take(/,/y));
    this.need(end);
  }

  private member(): void {
    this.space();
    this.string();
    this.space();
    this.need(/:/y);
    this.value();
  }

  private string(): void {
    this.need(/"/y);
     
    this.take(/(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y);
    this.need(/"/y);
  }
}

/** The place of the first mistake, or `undefined` if the text is JSON. */
export function jsonProblem(text: string): JsonProblem | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.document();
    return undefined;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, scanner.at).split('\n');
    return { position: scanner.at, line: before.length, column: (before.at(-1) ?? '').length + 1 };
  }
}

/** The text with two spaces for each level; as it is, if it is not JSON. */
export function formatJson(text: string): string {
  return jsonProblem(text) === undefined ? JSON.stringify(JSON.parse(text), null, 2) : text;
}
