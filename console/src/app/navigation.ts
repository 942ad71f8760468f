import type { SideNavigationProps } from '@cloudscape-design/components/side-navigation';

import { t } from '../messages';
import { href } from './router';

/** The side navigation. Screens of other topics are sections of their own. */
export function navigationItems(): SideNavigationProps.Item[] {
  const link = (text: string, path: string): SideNavigationProps.Link => ({ type: 'link', text, href: href(path) });
  return [
    link(t('nav.repositories'), '/repositories'),
    {
      type: 'section-group',
      title: t('nav.registry'),
      items: [
        link(t('nav.registryPermissions'), '/registry/permissions'),
        link(t('nav.pullThrough'), '/registry/pull-through-cache'),
        link(t('nav.replication'), '/registry/replication'),
        link(t('nav.scanning'), '/registry/scanning'),
        link(t('nav.templates'), '/registry/creation-templates'),
        link(t('nav.signing'), '/registry/signing'),
        link(t('nav.exclusions'), '/registry/pull-time-exclusions'),
        link(t('nav.settings'), '/registry/settings'),
      ],
    },
    {
      type: 'section-group',
      title: t('nav.identity'),
      items: [
        link(t('nav.users'), '/identity/users'),
        link(t('nav.roles'), '/identity/roles'),
        link(t('nav.policies'), '/identity/policies'),
        link(t('nav.providers'), '/identity/providers'),
        link(t('nav.explain'), '/identity/explain'),
      ],
    },
    {
      type: 'section-group',
      title: t('nav.operating'),
      items: [
        link(t('nav.serverStatus'), '/operating/status'),
        link(t('nav.jobs'), '/operating/jobs'),
        link(t('nav.webhooks'), '/operating/webhooks'),
        link(t('nav.audit'), '/operating/audit'),
        link(t('nav.usage'), '/operating/usage'),
        link(t('nav.garbage'), '/operating/garbage'),
        link(t('nav.sessions'), '/operating/sessions'),
      ],
    },
  ];
}

/** The link of the navigation that is highlighted: the longest one that the current path begins with. */
export function activeLink(path: string, items: SideNavigationProps.Item[]): string {
  const shown = path === '/' ? '/repositories' : path; // The first screen has two addresses.
  const links = items.flatMap((item) => ('items' in item ? item.items : [item]));
  const addresses = links.flatMap((item) => ('href' in item ? [item.href] : []));
  const matching = addresses.filter((address) => href(shown).split('?')[0]?.startsWith(address.split('?')[0] ?? ''));
  return matching.sort((one, other) => other.length - one.length)[0] ?? '';
}
