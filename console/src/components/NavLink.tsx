import Link, { type LinkProps } from '@cloudscape-design/components/link';
import type { ReactNode } from 'react';

import { follow, href } from '../app/router';

interface NavLinkProps {
  to: string;
  children: ReactNode;
  variant?: LinkProps.Variant;
  ariaLabel?: string;
}

/** A link to a path of the console. */
export function NavLink({ to, children, variant, ariaLabel }: NavLinkProps) {
  return (
    <Link
      href={href(to)}
      onFollow={follow}
      {...(variant === undefined ? {} : { variant })}
      {...(ariaLabel === undefined ? {} : { ariaLabel })}
    >
      {children}
    </Link>
  );
}
