// SPDX-License-Identifier: Apache-2.0
//
// Constants of linux/if_xdp.h that are newer than Debian 12's linux-libc-dev (6.1). A kernel
// without the feature refuses them with an errno, and the caller says what that means.
#pragma once

#include <linux/if_xdp.h>

#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)  // bind flag: packets may span several descriptors. Linux 6.6
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD \
  (1 << 0)  // xdp_desc.options: the packet goes on in the next descriptor. Linux 6.6
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET \
  9  // socket option: descriptors one sendto takes in copy mode. Linux 6.18
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif
