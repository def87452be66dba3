// SPDX-License-Identifier: Apache-2.0
//
// NC_THREAD_SANITIZER, NC_ADDRESS_SANITIZER: defined where that sanitizer watches, by either
// compiler's word for it. For the few places where it changes what can be said or measured.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NC_THREAD_SANITIZER 1
#endif
#if __has_feature(address_sanitizer)
#define NC_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define NC_THREAD_SANITIZER 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define NC_ADDRESS_SANITIZER 1
#endif
