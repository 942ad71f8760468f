import TopNavigation, { type TopNavigationProps } from '@cloudscape-design/components/top-navigation';

import { type Language, LANGUAGES, t } from '../messages';
import { chooseLanguage, chooseTheme, language, theme, type Theme } from './preferences';
import { follow, href, usePlace } from './router';
import { chooseRegion, leave, regionOf, useSession } from './session';
import { useStore } from './store';

const THEMES: Theme[] = ['system', 'light', 'dark'];

/** The bar at the top: Region, appearance, and the account. */
export function TopBar() {
  usePlace(); // The Region is a part of the address.
  const session = useSession();
  const region = regionOf(session);
  return (
    <TopNavigation
      identity={{ href: href('/repositories'), title: 'Moorage', onFollow: follow }}
      utilities={[regions(session.regions, region), useAppearance(), account(session)]}
    />
  );
}

function regions(names: string[], current: string): TopNavigationProps.MenuDropdownUtility {
  return {
    type: 'menu-dropdown',
    iconName: 'globe',
    text: current,
    ariaLabel: t('shell.region', { name: current }),
    items: names.map((name) => ({ id: name, text: name, itemType: 'checkbox', checked: name === current })),
    onItemClick: (event) => chooseRegion(event.detail.id),
  };
}

function useAppearance(): TopNavigationProps.MenuDropdownUtility {
  const chosenLanguage = useStore(language);
  const chosenTheme = useStore(theme);
  return {
    type: 'menu-dropdown',
    iconName: 'settings',
    ariaLabel: t('shell.appearance'),
    title: t('shell.appearance'),
    items: [
      {
        text: t('shell.theme'),
        items: THEMES.map((id) => ({ id, text: t(`theme.${id}`), itemType: 'checkbox', checked: id === chosenTheme })),
      },
      {
        text: t('shell.language'),
        items: Object.entries(LANGUAGES).map(([id, text]) => ({
          id,
          text,
          itemType: 'checkbox',
          checked: id === chosenLanguage,
        })),
      },
    ],
    onItemClick: (event) => {
      const id = event.detail.id;
      if (id in LANGUAGES) void chooseLanguage(id as Language);
      else chooseTheme(id as Theme);
    },
  };
}

function account(session: { name: string; account: string; arn: string; version: string }): TopNavigationProps.MenuDropdownUtility {
  return {
    type: 'menu-dropdown',
    iconName: 'user-profile',
    text: `${session.name} @ ${session.account}`,
    description: session.arn,
    items: [
      { id: 'version', text: t('shell.version', { version: session.version }), disabled: true },
      { id: 'leave', text: t('shell.signOut') },
    ],
    onItemClick: (event) => {
      if (event.detail.id === 'leave') void leave();
    },
  };
}
