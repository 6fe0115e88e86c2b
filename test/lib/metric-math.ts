/** As much of CloudWatch's metric math as the stack's alarms use, at one point of time. */

/** Undefined where there is no data. */
export type Value = number | undefined;

export type Expression = (metrics: ReadonlyMap<string, Value>) => Value;

/**
 * What an operator makes of one operand without data. It is not documented: alarms must do with either. Lists are passed
 * to functions without what has no data.
 */
export type MissingOperand = 'makes the result missing' | 'is 0';

const BINARY: Readonly<Record<string, (a: number, b: number) => Value>> = {
  OR: (a, b) => Number(a !== 0 || b !== 0),
  AND: (a, b) => Number(a !== 0 && b !== 0),
  '==': (a, b) => Number(a === b),
  '>=': (a, b) => Number(a >= b),
  '>': (a, b) => Number(a > b),
  '+': (a, b) => a + b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0 ? undefined : a / b),
};
const PRECEDENCE = [['OR'], ['AND'], ['==', '>=', '>'], ['+'], ['*', '/']];
const OF_LIST: Readonly<Record<string, (values: number[]) => number>> = {
  SUM: (values) => values.reduce((sum, value) => sum + value, 0),
  MAX: (values) => Math.max(...values),
};

/** @throws Error where the expression uses what is not known here */
export function parseExpression(text: string, missingOperand: MissingOperand): Expression {
  const tokens = text.match(/[A-Za-z_]\w*|\d+(?:\.\d+)?|==|>=|[^\s]/g) ?? [];
  let next = 0;
  const take = (token: string) => {
    if (tokens[next] !== token) throw new Error(`Cannot read ${text}: expected ${token}, found ${tokens[next]}`);
    next++;
  };
  const whole = binary(0);
  if (next < tokens.length) throw new Error(`Cannot read ${text}: ${tokens[next]} is left over`);
  return whole;

  function binary(level: number): Expression {
    const operators = PRECEDENCE[level];
    if (!operators) return primary();
    let left = binary(level + 1);
    for (let operator = tokens[next]; operator && operators.includes(operator); operator = tokens[next]) {
      next++;
      left = operation(operator, left, binary(level + 1));
    }
    return left;
  }

  function operation(operator: string, left: Expression, right: Expression): Expression {
    return (metrics) => {
      const [a, b] = [left(metrics), right(metrics)];
      const missing = missingOperand === 'is 0' ? a === undefined && b === undefined : [a, b].includes(undefined);
      return missing ? undefined : BINARY[operator]?.(a ?? 0, b ?? 0);
    };
  }

  function primary(): Expression {
    const token = tokens[next++] ?? 'nothing';
    if (token === '(') {
      const inner = binary(0);
      take(')');
      return inner;
    }
    if (/^\d/.test(token)) return () => Number(token);
    const ofList = OF_LIST[token];
    if (ofList) return listFunction(ofList);
    if (token === 'IF') return conditional();
    if (!/^[a-z]/.test(token)) throw new Error(`Cannot read ${text}: ${token} is not known`);
    return (metrics) => {
      if (!metrics.has(token)) throw new Error(`Cannot evaluate ${text}: there is no ${token}`);
      return metrics.get(token);
    };
  }

  function listFunction(ofList: (values: number[]) => number): Expression {
    take('(');
    take('[');
    const items = [binary(0)];
    while (tokens[next] === ',') {
      next++;
      items.push(binary(0));
    }
    take(']');
    take(')');
    return (metrics) => {
      const values = items.map((item) => item(metrics)).filter((value) => value !== undefined);
      return values.length === 0 ? undefined : ofList(values);
    };
  }

  function conditional(): Expression {
    take('(');
    const condition = binary(0);
    take(',');
    const then = binary(0);
    take(',');
    const otherwise = binary(0);
    take(')');
    return (metrics) => {
      const value = condition(metrics);
      if (value === undefined) return undefined;
      return value !== 0 ? then(metrics) : otherwise(metrics);
    };
  }
}
