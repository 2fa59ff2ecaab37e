package webhook

import (
	"errors"
	"net/netip"
	"testing"
)

func TestOnlyPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "172.15.255.255": true, "172.32.0.0": true, "100.63.255.255": true,
		"100.128.0.0": true, "192.0.1.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true,
		"2606:4700::1111": true, "::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true,

		"127.0.0.1": false, "127.255.255.255": false, "::1": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"fc00::1": false, "fd00:ec2::254": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false,
		"100.64.0.1": false, "100.100.100.200": false, "100.127.255.255": false,
		"168.63.129.16": false,
		"224.0.0.1":     false, "239.255.255.255": false, "ff02::1": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false,
		"240.0.0.1": false, "255.255.255.255": false,
		"192.0.0.192": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "192.88.99.1": false,
		"2001:db8::1": false, "3fff::1": false, "2001::1": false, "2002:7f00:1::": false, "100::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:100.64.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b:1::8.8.8.8": false,
		"::127.0.0.1": false, "::8.8.8.8": false,
		"2606:4700::1%eth0": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: public is %t, want %t", text, got, want)
		}
	}
}

func TestWhatCannotBeJudgedIsRefused(t *testing.T) {
	for _, to := range [][2]string{{"unix", "/run/docker.sock"}, {"udp4", "8.8.8.8:53"}, {"tcp4", "example.com:80"}, {"tcp4", ""}} {
		if err := refusePrivate(to[0], to[1], nil); !errors.Is(err, ErrForbidden) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if err := refusePrivate("tcp6", "[2606:4700::1111]:443", nil); err != nil {
		t.Error(err)
	}
}
