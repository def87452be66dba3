/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to its UDP ports: Ethernet, 0..2 VLAN tags (IEEE 802.1Q, 802.1ad), IPv4 with options
 * (RFC 791), IPv6 with extension headers (RFC 8200). A cursor walks over the headers, and each read is
 * preceded by a bounds check. Headers lie in the first buffer of a multi-buffer frame.
 *
 * parse_frame() says only what the headers say. Whether the packet is ours, and healthy, is decided
 * in steer.bpf.c.
 */
#ifndef NETCHANNEL_BPF_PARSE_H
#define NETCHANNEL_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define MAX_VLAN_TAGS 2
/* RFC 8200, 4.1 recommends each header at most once: hop-by-hop, options, routing, fragment, AH, options. */
#define MAX_IPV6_EXTENSIONS 6

#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_FRAGMENT_OFFSET 0xfff8

struct cursor {
	void *pos;
	void *end;
};

struct vlan_tag {
	__be16 tci;
	__be16 inner_protocol;
};

struct ipv6_extension {
	__u8 next_header;
	__u8 length; /* units differ by header */
};

struct ipv6_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset_and_more;
	__be32 identification;
};

/* The UDP header's first four bytes: enough to say whose a packet is. */
struct udp_ports {
	__be16 source;
	__be16 dest;
};

struct packet {
	struct nc_address source;
	struct nc_address destination;
	__u16 destination_port;
	__u32 ip_offset;      /* of the IP header in the frame */
	__u32 ip_length;      /* what the IP header says: header and payload */
	__u32 payload_length; /* of that, from the UDP header on */
	_Bool fragment;       /* the first of several */
};

/* Advances over `size` bytes; returns where they begin, or NULL when the buffer ends before. */
static __always_inline void *cursor_take(struct cursor *cursor, __u32 size)
{
	void *header = cursor->pos;

	if (header + size > cursor->end)
		return NULL;
	cursor->pos = header + size;
	return header;
}

/* Returns the EtherType behind the VLAN tags; 0 (no EtherType) when the frame ends in them. */
static __always_inline __be16 parse_link(struct cursor *cursor)
{
	struct ethhdr *eth = cursor_take(cursor, sizeof(*eth));
	__be16 protocol;

	if (!eth)
		return 0;
	protocol = eth->h_proto;
#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag *tag;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		tag = cursor_take(cursor, sizeof(*tag));
		if (!tag)
			return 0;
		protocol = tag->inner_protocol;
	}
	return protocol;
}

/* Such addresses are for tables and sockets; on the wire nobody owns them (RFC 4291, 2.5.5.2). */
static __always_inline _Bool is_mapped_ipv4(const struct nc_address *address)
{
	const __u32 *words = (const __u32 *)address->bytes;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void map_ipv4(struct nc_address *address, __be32 ipv4)
{
	__u32 *words = (__u32 *)address->bytes;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = ipv4;
}

/*
 * The parsers of one layer return NC_STEERED for "go on", else the verdict for a packet that is not ours.
 */
static __always_inline enum nc_verdict parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__u32 header_length;
	__u16 fragment;

	if (!ip)
		return NC_PASS_TRUNCATED;
	header_length = ip->ihl * 4;
	if (ip->version != 4 || header_length < sizeof(*ip))
		return NC_PASS_NOT_IP;
	if (ip->protocol != IPPROTO_UDP)
		return NC_PASS_NOT_UDP;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IPV4_FRAGMENT_OFFSET)
		return NC_PASS_FRAGMENT;
	packet->fragment = (fragment & IPV4_MORE_FRAGMENTS) != 0;
	packet->ip_length = bpf_ntohs(ip->tot_len);
	/* A total length below the header's leaves 0, which no UDP length fits. */
	packet->payload_length =
		packet->ip_length > header_length ? packet->ip_length - header_length : 0;
	map_ipv4(&packet->source, ip->saddr);
	map_ipv4(&packet->destination, ip->daddr);
	if (!cursor_take(cursor, header_length - sizeof(*ip)))
		return NC_PASS_TRUNCATED;
	return NC_STEERED;
}

/* Walks over one extension header. Returns its next header, or -1 with `verdict` set. */
static __always_inline int parse_ipv6_extension(struct cursor *cursor, struct packet *packet,
						__u8 type, enum nc_verdict *verdict)
{
	struct ipv6_extension *extension;
	struct ipv6_fragment *fragment;
	__u32 length;

	*verdict = NC_PASS_TRUNCATED;
	if (type == IPPROTO_FRAGMENT) {
		fragment = cursor_take(cursor, sizeof(*fragment));
		if (!fragment)
			return -1;
		if (fragment->offset_and_more & bpf_htons(IPV6_FRAGMENT_OFFSET)) {
			*verdict = NC_PASS_FRAGMENT;
			return -1;
		}
		packet->fragment = 1;
		packet->payload_length -= sizeof(*fragment);
		return fragment->next_header;
	}
	extension = cursor_take(cursor, sizeof(*extension));
	if (!extension)
		return -1;
	/* RFC 4302, 2.2: the authentication header counts 4-byte words less 2; the others 8-byte units less 1. */
	length = type == IPPROTO_AH ? (extension->length + 2) * 4 : (extension->length + 1) * 8;
	if (!cursor_take(cursor, length - sizeof(*extension)))
		return -1;
	packet->payload_length -= length;
	return extension->next_header;
}

static __always_inline _Bool is_ipv6_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT ||
	       type == IPPROTO_AH || type == IPPROTO_DSTOPTS;
}

static __always_inline enum nc_verdict parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	enum nc_verdict verdict;
	int next_header;

	if (!ip)
		return NC_PASS_TRUNCATED;
	if (ip->version != 6)
		return NC_PASS_NOT_IP;
	packet->fragment = 0;
	packet->payload_length = bpf_ntohs(ip->payload_len);
	packet->ip_length = sizeof(*ip) + packet->payload_length;
	__builtin_memcpy(&packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(&packet->destination, &ip->daddr, sizeof(packet->destination));
	if (is_mapped_ipv4(&packet->destination))
		return NC_PASS_OTHER_ADDRESS;
	next_header = ip->nexthdr;
	for (int i = 0; i < MAX_IPV6_EXTENSIONS && is_ipv6_extension(next_header); i++) {
		next_header = parse_ipv6_extension(cursor, packet, next_header, &verdict);
		if (next_header < 0)
			return verdict;
	}
	return next_header == IPPROTO_UDP ? NC_STEERED : NC_PASS_NOT_UDP;
}

/* Leaves the cursor behind the ports when it returns NC_STEERED. */
static __always_inline enum nc_verdict parse_frame(struct cursor *cursor, struct packet *packet)
{
	void *start = cursor->pos;
	__be16 protocol = parse_link(cursor);
	struct udp_ports *ports;
	enum nc_verdict verdict;

	packet->ip_offset = cursor->pos - start;
	if (protocol == bpf_htons(ETH_P_IP))
		verdict = parse_ipv4(cursor, packet);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		verdict = parse_ipv6(cursor, packet);
	else
		verdict = NC_PASS_NOT_IP;
	if (verdict != NC_STEERED)
		return verdict;
	ports = cursor_take(cursor, sizeof(*ports));
	if (!ports)
		return NC_PASS_TRUNCATED;
	packet->destination_port = bpf_ntohs(ports->dest);
	return NC_STEERED;
}

#endif /* NETCHANNEL_BPF_PARSE_H */
