import LineChart from '@cloudscape-design/components/line-chart';

import type { TrafficMinute } from '../../api/operating';
import { dark } from '../../app/preferences';
import { useStore } from '../../app/store';
import { currentLanguage, formatNumber, t } from '../../messages';
import { wholeHour } from './minutes';

/** Colours that can be told from the background, in the light and in the dark. */
const LIGHT = { requests: '#0972d3', clientErrors: '#8a6100', serverErrors: '#d13212' };
const DARK: typeof LIGHT = { requests: '#539fe5', clientErrors: '#e0ca57', serverErrors: '#ff5d64' };

/** The part of the height that the highest line takes. */
const FILLED = 0.9;

/** The requests and errors of each minute of the last hour, as lines. Its program is large, so it is loaded lazily. */
export default function Traffic({ minutes }: { minutes: TrafficMinute[] }) {
  const colours = useStore(dark) ? DARK : LIGHT;
  const hour = wholeHour(minutes);
  const line = (title: string, color: string, count: (minute: TrafficMinute) => number) => ({
    title,
    color,
    type: 'line' as const,
    data: hour.map((minute) => ({ x: new Date(minute.beganAt * 1000), y: count(minute) })),
    valueFormatter: formatNumber,
  });
  const highest = Math.max(1, ...hour.map(({ requests }) => requests));
  return (
    <LineChart
      series={[
        line(t('serverStatus.requests'), colours.requests, ({ requests }) => requests),
        line(t('serverStatus.clientErrors'), colours.clientErrors, ({ clientErrors }) => clientErrors),
        line(t('serverStatus.serverErrors'), colours.serverErrors, ({ serverErrors }) => serverErrors),
      ]}
      xScaleType="time"
      yDomain={[0, highest / FILLED]}
      xTitle={t('serverStatus.time')}
      yTitle={t('serverStatus.perMinute')}
      height={240}
      hideFilter
      ariaLabel={t('serverStatus.traffic')}
      xTickFormatter={timeOfDay}
      yTickFormatter={formatNumber}
      i18nStrings={{ detailPopoverDismissAriaLabel: t('action.close') }}
      empty={t('serverStatus.noTraffic')}
    />
  );
}

function timeOfDay(time: Date): string {
  return new Intl.DateTimeFormat(currentLanguage(), { timeStyle: 'short' }).format(time);
}
