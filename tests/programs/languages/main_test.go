package main

import "testing"

func TestExpect(t *testing.T) { expect(1+1, 2, "sum") }
