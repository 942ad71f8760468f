import type { Position } from '../../api/iam';
import { jsonProblem } from '../../components/json';

/**
 * The statement at a place of a policy, formatted. `undefined` if there is none: the policy may have changed since, and
 * ECR returns texts of repository policies formatted anew.
 */
export function statementAt(text: string, start: Position | undefined, end: Position | undefined): string | undefined {
  if (start === undefined || end === undefined) return undefined;
  const piece = text.slice(offset(text, start), offset(text, end));
  if (!piece.startsWith('{') || jsonProblem(piece) !== undefined) return undefined;
  const statement = JSON.parse(piece) as object;
  return 'Effect' in statement ? JSON.stringify(statement, null, 2) : undefined;
}

/** The offset of a place. The server counts characters, of which some are two of a string here. */
function offset(text: string, { Line, Column }: Position): number {
  const lines = text.split('\n');
  const before = lines.slice(0, Line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const line = Array.from(lines[Line - 1] ?? '');
  return before + line.slice(0, Column - 1).join('').length;
}
