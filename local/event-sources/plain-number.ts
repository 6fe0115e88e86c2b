/** Writes numbers as DynamoDB returns them. */

const NUMBER = /^(?<sign>[+-]?)(?<whole>\d*)(?:\.(?<fraction>\d*))?(?:[eE](?<exponent>[+-]?\d+))?$/;

/**
 * A number without exponent, plus sign, and leading or trailing zeros: `+01.50E+1` is `15`. Digits are moved, not computed:
 * DynamoDB's numbers have more of them than JavaScript's.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number
 */
export function plainNumber(text: string): string {
  const { sign = '', whole = '', fraction = '', exponent = '0' } = NUMBER.exec(text)?.groups ?? {};
  const digits = whole + fraction;
  if (digits === '') return text;
  const point = whole.length + Number(exponent);
  const before = digits.slice(0, Math.max(0, point)).padEnd(point, '0').replace(/^0+/, '') || '0';
  const after = digits
    .slice(Math.max(0, point))
    .padStart(digits.length - point, '0')
    .replace(/0+$/, '');
  const plain = after === '' ? before : `${before}.${after}`;
  return sign === '-' && plain !== '0' ? `-${plain}` : plain;
}
