import ContentLayout from '@cloudscape-design/components/content-layout';
import Header from '@cloudscape-design/components/header';
import { type ReactNode, useEffect } from 'react';

import { Name } from './Name';

interface ScreenProps {
  title: string;
  description?: string;
  actions?: ReactNode;
  info?: ReactNode;
  children: ReactNode;
}

/** The frame of a screen: its heading, which is also the title of the page, and its content. */
export function Screen({ title, description, actions, info, children }: ScreenProps) {
  useEffect(() => {
    document.title = `${title} – Moorage`;
  }, [title]);
  return (
    <ContentLayout
      header={
        <Header variant="h1" actions={actions} info={info} description={description}>
          <Name>{title}</Name>
        </Header>
      }
    >
      {children}
    </ContentLayout>
  );
}
