import AppLayout from '@cloudscape-design/components/app-layout';
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group';
import SideNavigation from '@cloudscape-design/components/side-navigation';
import { Suspense, useEffect, useRef, useState } from 'react';

import { Lines } from '../components/Part';
import { t } from '../messages';
import { Messages } from './Messages';
import { activeLink, navigationItems } from './navigation';
import { follow, href, usePlace } from './router';
import { findRoute } from './routes';
import { ScreenBoundary } from './ScreenBoundary';
import { regionOf, useSession } from './session';
import { SignInDialog } from './SignInDialog';
import { TopBar } from './TopBar';

/** The frame around all screens behind the sign-in. */
export function Shell() {
  const [open, setOpen] = useState(() => window.innerWidth > 900);
  const place = usePlace();
  const session = useSession();
  const { route, params } = findRoute(place.path);
  const items = navigationItems();
  useFocusOnNewScreen(place.path);
  const View = route.screen;
  // Another account or Region is another registry: nothing of the old one may stay on the screen.
  const key = `${session.account} ${regionOf(session)} ${place.path}`;
  return (
    <>
      <a className="skip-link" href="#content">
        {t('shell.skip')}
      </a>
      <div id="top">
        <TopBar />
      </div>
      <AppLayout
        headerSelector="#top"
        toolsHide
        navigationOpen={open}
        onNavigationChange={(event) => setOpen(event.detail.open)}
        navigation={
          <SideNavigation
            header={{ text: t('shell.title'), href: href('/repositories') }}
            items={items}
            activeHref={activeLink(place.path, items)}
            onFollow={follow}
          />
        }
        breadcrumbs={
          <BreadcrumbGroup
            items={route.crumbs(params).map(({ text, path }) => ({ text, href: href(path) }))}
            onFollow={follow}
          />
        }
        notifications={<Messages />}
        content={
          <div id="content" tabIndex={-1}>
            <ScreenBoundary key={key}>
              <Suspense fallback={<Lines count={8} />}>
                <View params={params} />
              </Suspense>
            </ScreenBoundary>
          </div>
        }
      />
      <SignInDialog />
    </>
  );
}

/** Who uses a keyboard or hears the page starts at the content of a new screen, not where the old link was. */
function useFocusOnNewScreen(path: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) document.getElementById('content')?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
}
