import Button from '@cloudscape-design/components/button';
import Flashbar, { type FlashbarProps } from '@cloudscape-design/components/flashbar';

import { Name } from '../components/Name';
import { t } from '../messages';
import { connection, retry } from './connection';
import { dismiss, notifications } from './notifications';
import { useStore } from './store';

/** The messages above a screen: the state of the server, and the results of what was done. */
export function Messages() {
  const { down, newerBuild } = useStore(connection);
  const shown = useStore(notifications);
  const items: FlashbarProps.MessageDefinition[] = shown.map(({ id, type, content }) => ({
    id,
    type,
    content: <Name>{content}</Name>,
    dismissible: true,
    dismissLabel: t('action.dismiss'),
    onDismiss: () => dismiss(id),
  }));
  if (newerBuild) {
    items.unshift({
      id: 'build',
      type: 'info',
      content: t('error.newerBuild'),
      action: <Button onClick={() => window.location.reload()}>{t('action.reloadPage')}</Button>,
    });
  }
  if (down) {
    items.unshift({
      id: 'down',
      type: 'warning',
      loading: true,
      content: t('error.unavailable'),
      action: <Button onClick={retry}>{t('action.retry')}</Button>,
    });
  }
  return <Flashbar items={items} />;
}
