/** The view Overview. */
import { useState } from 'preact/hooks';
import { type Answered, COUNTED_OUTCOMES, type Rate, type Session } from '../../shared/api.ts';
import { server } from '../call.ts';
import { Empty, Mark, Notice, numberText, timeText } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { useSettings, wordFor } from '../settings.tsx';
import { Chart } from './chart.tsx';
import { edgesOf, PERIODS, type Period } from './periods.ts';

type Figures = Answered<'overview'>;
interface Known {
  readonly period: Period;
  readonly edges: readonly string[];
  readonly figures: Figures;
}

/** A poll counts up to ten thousand rows. */
const POLLS_PER_COUNT = 9;

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

/** The failures of a period, and their rate among the sent mail. */
export function OverviewView({ session }: { session: Session }) {
  const { say, language } = useSettings();
  const [period, setPeriod] = useState<Period>('7d');
  const [known, setKnown] = useState<Known>();
  const error = usePolling(async (signal) => {
    const edges = edgesOf(period, new Date());
    const figures = await server.overview({ edges: [...edges] }, signal);
    setKnown({ period, edges, figures });
    return session.mode === 'local' ? 1 : POLLS_PER_COUNT;
  }, period);
  const shown = known?.period === period ? known : undefined;

  return (
    <>
      <div class="title-row">
        <h1>{say('overviewTitle')}</h1>
        <fieldset class="segments">
          <legend class="unseen">{say('period')}</legend>
          {PERIODS.map((name) => (
            <label key={name}>
              <input type="radio" name="period" checked={name === period} onChange={() => setPeriod(name)} />
              <span>{say(`period_${name}`)}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {error !== undefined && <Notice tone="bad">{say(shown ? 'stale' : 'cannotRead', { message: error })}</Notice>}
      {shown === undefined && error === undefined && <p class="faint">{say('loading')}</p>}
      {shown?.figures.countedFrom && (
        <Notice tone="plain">
          {say('overviewPartial', { time: timeText(new Date(shown.figures.countedFrom), language, true) })}
        </Notice>
      )}
      {shown && <Shown known={shown} />}
    </>
  );
}

function Shown({ known: { figures, edges, period } }: { known: Known }) {
  const { say, language } = useSettings();
  const totals = COUNTED_OUTCOMES.map((outcome) => ({ outcome, total: sum(figures.outcomes[outcome] ?? []) }));
  const sent = sum(figures.sent);
  const all = total(figures.providers);
  if (sent === 0 && totals.every(({ total: count }) => count === 0)) {
    return <Empty title={say('overviewEmpty')} hint={say('overviewEmptyHint')} />;
  }
  return (
    <>
      <dl class="figures">
        <div>
          <dt>{say('figureSent')}</dt>
          <dd>{numberText(sent, language)}</dd>
        </div>
        <div>
          <dt>{say('figureRate')}</dt>
          <dd>{rateText(all, language)}</dd>
        </div>
        {totals.map(({ outcome, total: count }) => (
          <div key={outcome}>
            <dt>
              <Mark state={outcome} />
            </dt>
            <dd>{numberText(count, language)}</dd>
          </div>
        ))}
      </dl>
      <section class="card">
        <h2>{say('chartTitle')}</h2>
        <Chart edges={edges} outcomes={figures.outcomes} hours={period === '24h'} />
      </section>
      <div class="rates">
        <Rates title={say('byDomain')} head={say('domain')} rates={figures.domains} name={(name) => name} />
        <Rates
          title={say('byProvider')}
          head={say('provider')}
          rates={figures.providers}
          name={(name) => wordFor(say, 'provider', name)}
        />
      </div>
      <p class="hint">
        {say('rateHint')}{' '}
        {figures.unmatched > 0 && say('unmatchedCount', { n: numberText(figures.unmatched, language) })}
      </p>
    </>
  );
}

function Rates(props: { title: string; head: string; rates: readonly Rate[]; name: (name: string) => string }) {
  const { say, language } = useSettings();
  const { title, head, rates, name } = props;
  return (
    <section class="card">
      <h2>{title}</h2>
      <table class="numbers">
        <caption class="unseen">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{head}</th>
            <th scope="col">{say('recipientsSent')}</th>
            <th scope="col">{say('state_bounced')}</th>
            <th scope="col" class="dropped">
              {say('state_dropped')}
            </th>
            <th scope="col">{say('rate')}</th>
          </tr>
        </thead>
        <tbody>
          {rates.map((rate) => (
            <tr key={rate.name}>
              <th scope="row">
                <bdi class="text">{name(rate.name) || '—'}</bdi>
              </th>
              <td>{numberText(rate.sent, language)}</td>
              <td>{numberText(rate.bounced, language)}</td>
              <td class="dropped">{numberText(rate.dropped, language)}</td>
              <td>
                <span class="rate">
                  <span class="bar" aria-hidden="true">
                    <span style={{ width: `${Math.min(100, 100 * (share(rate) ?? 0))}%` }} />
                  </span>
                  {rateText(rate, language)}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const share = ({ sent, bounced, dropped }: Rate) => (sent === 0 ? undefined : (bounced + dropped) / sent);

function rateText(rate: Rate, language: string): string {
  const part = share(rate);
  if (part === undefined) return '—';
  return new Intl.NumberFormat(language, {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(part);
}

function total(rates: readonly Rate[]): Rate {
  const of = (name: 'sent' | 'bounced' | 'dropped' | 'complained') => sum(rates.map((rate) => rate[name]));
  return { name: '', sent: of('sent'), bounced: of('bounced'), dropped: of('dropped'), complained: of('complained') };
}
